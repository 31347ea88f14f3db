import { setTimeout as sleep } from "node:timers/promises";
import { DriverError } from "../../driver.ts";
import type { GuestFolder } from "../guest-folder.ts";
import { QmpError } from "../qmp.ts";
import {
  type CpuPlace,
  command,
  type MemoryPiece,
  numberOf,
  readAnswers,
  readMachine,
} from "./machine.ts";

/**
 * A guest adds a cpu in 0.7 s under emulation on a quiet machine, and gives one up in less. One that
 * has not done so by then runs no system that can, or cannot spare it.
 */
const GUEST_LIMIT_MS = 10_000;
const POLL_MS = 100;

/** Which request of ours the guest answered last (ACPI, `_OST`): device check, or eject. */
const SOURCE_ADDED = 1;
const STATUS_OK = 0;

/** A device, its slot in ACPI, and its name for people. */
interface Asked {
  readonly what: string;
  readonly slot: string;
  readonly id: string;
}

/** Returns when the guest's system has said that it has taken the virtual cpu. */
export async function plugCpu(paths: GuestFolder, cpu: CpuPlace): Promise<CpuPlace> {
  const number = numberOf(cpu);
  const id = `cpu-${number}`;
  await sent(paths, "device_add", { driver: cpu.type, id, ...cpu.props });
  await untilTaken(paths, { what: `virtual cpu ${number}`, slot: `CPU ${number}`, id });
  return { ...cpu, path: `/machine/peripheral/${id}` };
}

/** Returns when QEMU no longer has the virtual cpu, which it lets go when the guest has. */
export async function unplugCpu(paths: GuestFolder, cpu: CpuPlace): Promise<void> {
  const number = numberOf(cpu);
  const asked = { what: `virtual cpu ${number}`, slot: `CPU ${number}`, id: cpu.path ?? "" };
  await unplug(paths, asked, async () => {
    const { cpus } = await readMachine(paths);
    return cpus.every(({ path }) => path !== cpu.path);
  });
}

export async function plugMemory(paths: GuestFolder, bytes: number): Promise<MemoryPiece> {
  const { memory } = await readMachine(paths);
  const taken = new Set(memory.pieces.map(({ id }) => id));
  let index = 0;
  while (taken.has(`dimm-${index}`)) index++;
  const id = `dimm-${index}`;
  // What an attempt left that was cut short; mostly there is none.
  await dropBacking(paths, id).catch(() => undefined);
  await sent(paths, "object-add", {
    "qom-type": "memory-backend-ram",
    id: `${id}-ram`,
    size: bytes,
  });
  try {
    await sent(paths, "device_add", { driver: "pc-dimm", id, memdev: `${id}-ram` });
  } catch (error) {
    await dropBacking(paths, id);
    throw error;
  }
  const { pieces } = (await readMachine(paths)).memory;
  const piece = pieces.find((other) => other.id === id);
  if (piece === undefined) throw refused(`memory of ${bytes} bytes did not appear`);
  await untilTaken(paths, { what: "memory", slot: `DIMM ${piece.slot}`, id });
  return piece;
}

export async function unplugMemory(paths: GuestFolder, piece: MemoryPiece): Promise<void> {
  const asked = { what: "memory", slot: `DIMM ${piece.slot}`, id: piece.id };
  await unplug(paths, asked, async () => {
    const { pieces } = (await readMachine(paths)).memory;
    return pieces.every(({ id }) => id !== piece.id);
  });
  // The guest has let go of it: only now does it go back to the host.
  await dropBacking(paths, piece.id);
}

export function refused(message: string, cause?: unknown): DriverError {
  return new DriverError("resize-refused", message, { cause });
}

async function dropBacking(paths: GuestFolder, id: string): Promise<void> {
  await sent(paths, "object-del", { id: `${id}-ram` });
}

/** What QEMU refuses is refused by its own words. */
async function sent(
  paths: GuestFolder,
  execute: string,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await command(paths, { execute, arguments: args });
  } catch (error) {
    throw error instanceof QmpError ? refused(error.message, error) : error;
  }
}

/** What the guest does not take is asked back at once, so that it cannot take it later. */
async function untilTaken(paths: GuestFolder, { what, slot, id }: Asked): Promise<void> {
  const took = await until(async () => {
    const answer = (await readAnswers(paths)).get(slot);
    return answer?.source === SOURCE_ADDED && answer.status === STATUS_OK;
  });
  if (took) return;
  await sent(paths, "device_del", { id });
  throw refused(`the guest took no notice of ${what} that was added`);
}

/**
 * QEMU's list is asked and not its events: they are lost to whoever is not connected at that
 * instant, and a device that is deleted is on no list. A request that QEMU does not take may be one
 * too many, for what is going already; so the list decides then as well.
 */
async function unplug(
  paths: GuestFolder,
  { what, slot, id }: Asked,
  isGone: () => Promise<boolean>,
): Promise<void> {
  const refusal = await sent(paths, "device_del", { id }).then(
    () => null,
    (error: unknown) => error,
  );
  if (await until(isGone)) return;
  if (refusal !== null) throw refusal;
  const answer = (await readAnswers(paths)).get(slot);
  const said = answer === undefined ? "nothing" : `status ${answer.status}`;
  throw refused(`the guest did not give up ${what} within ${GUEST_LIMIT_MS / 1000} s (${said})`);
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + GUEST_LIMIT_MS; performance.now() < end; ) {
    if (await isSo()) return true;
    await sleep(POLL_MS);
  }
  return isSo();
}
