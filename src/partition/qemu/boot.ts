import { DriverError, type GuestSpec } from "../driver.ts";
import { type Machine, processName, qemuArguments } from "./command-line.ts";
import { kvmGroup, ownerOf } from "./confinement.ts";
import type { ControlGroups } from "./control-group/find.ts";
import { makeGroup } from "./control-group/group.ts";
import type { GroupLimits } from "./control-group/settings.ts";
import type { GuestFolder } from "./guest-folder.ts";
import { attachCommand } from "./internet/attach.ts";
import type { Internet } from "./internet/find.ts";
import { networkName } from "./internet/name.ts";
import { layNetwork } from "./internet/network.ts";
import { readSurroundings } from "./internet/surroundings.ts";
import { launch } from "./launch.ts";
import { pin } from "./pin.ts";
import { freePort } from "./port.ts";
import { type GuestRecord, readRecord, recordOf, writeRecord } from "./record.ts";
import { overlayBytesMax } from "./root-disk.ts";
import { findRunning, hostBootId } from "./running.ts";

export interface Emulator {
  readonly binary: string;
  readonly accelerator: "kvm" | "tcg";
  readonly architecture: Machine["architecture"];
  /** Tells this driver's guests from those of another agent on the computer. */
  readonly driverTag: string;
  readonly controlGroups: ControlGroups;
  readonly internet: Internet;
  readonly log: (line: string) => void;
}

/**
 * Starts the guest's process unless it is alive, and writes down which it is. A crash between the
 * two is healed by the next call: the process is found by its name, its port by its arguments.
 */
export async function bootGuest(
  paths: GuestFolder,
  spec: GuestSpec,
  emulator: Emulator,
): Promise<GuestRecord> {
  refuseUnheld(spec, emulator.controlGroups);
  await prepareInternet(spec, emulator);
  const found = await findRunning(paths, emulator.driverTag);
  const started = found ?? (await start(paths, spec, emulator));
  await pin(started.process.pid, spec);
  const record = recordOf(spec, { ...started, bootId: hostBootId() });
  await writeRecord(paths, record);
  return record;
}

async function start(paths: GuestFolder, spec: GuestSpec, emulator: Emulator) {
  const { driverTag, controlGroups } = emulator;
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort(paths, spec, attempt);
    const name = processName(spec.guestId, driverTag);
    const groups = await makeGroup(paths, name, controlGroups.places, limitsOf(spec));
    try {
      const process = await launch(
        paths,
        command(spec, emulator, port),
        confinement(spec, emulator, groups),
      );
      return { process, port };
    } catch (error) {
      const taken = error instanceof DriverError && error.code === "port-taken";
      if (!taken || spec.access.port !== 0 || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** A port found free is lost to another process only by a race; losing this often means a fault. */
const PORT_ATTEMPTS = 8;

/** A guest that is started again keeps its port where it can: the client was told that one. */
async function choosePort(paths: GuestFolder, spec: GuestSpec, attempt: number): Promise<number> {
  if (spec.access.port !== 0) return spec.access.port;
  const before = attempt === 1 ? await readRecord(paths) : null;
  return before?.port ?? freePort(spec.access.address);
}

function command(spec: GuestSpec, emulator: Emulator, port: number): string[] {
  const name = processName(spec.guestId, emulator.driverTag);
  const { accelerator, architecture } = emulator;
  return [emulator.binary, ...qemuArguments(spec, { accelerator, architecture, name, port })];
}

/** Before the process: a guest that could send before its filter is there would send anything. */
async function prepareInternet(spec: GuestSpec, { driverTag, internet, log }: Emulator) {
  if (!spec.internet) return;
  if (!internet.works) throw new DriverError("internet-unsupported", internet.reason);
  const told = await layNetwork(networkName(spec.guestId, driverTag), readSurroundings());
  if (told !== "") log(`${spec.guestId}: ${told}`);
}

function confinement(spec: GuestSpec, emulator: Emulator, groups: readonly string[]) {
  const { accelerator, driverTag } = emulator;
  const kvm = accelerator === "kvm" ? kvmGroup() : { group: null };
  if ("refusal" in kvm) throw new DriverError("unsupported", kvm.refusal);
  return {
    owner: ownerOf(spec.uid),
    kvmGroup: kvm.group,
    cores: spec.cores,
    groups,
    attach: spec.internet ? attachCommand(networkName(spec.guestId, driverTag)) : [],
    fileBytesMax: fileBytesMax(spec),
  };
}

function fileBytesMax({ size, image, outboxBytes = 0 }: GuestSpec): number {
  const diskBytes = image.rootDisk === undefined ? size.diskBytes : overlayBytesMax(size.diskBytes);
  return Math.max(diskBytes, outboxBytes, FILE_BYTES_MIN);
}

/** A dedicated guest has its cores to itself, so nothing but they caps it. */
export function limitsOf({ size, cpuMode }: Pick<GuestSpec, "size" | "cpuMode">): GroupLimits {
  const { cpuMilli, memoryBytes } = size;
  return { cpuMilli, cpuCapMilli: cpuMode === "shared" ? cpuMilli : null, memoryBytes };
}

function refuseUnheld({ cpuMode }: GuestSpec, { sharedCpu, reason }: ControlGroups): void {
  if (cpuMode === "dedicated" || sharedCpu) return;
  const message = `shared cpu needs control groups, and here ${reason}; ask for dedicated cores`;
  throw new DriverError("fractions-unsupported", message);
}

/** Room for what QEMU may write beside the disk, where the guest has none. */
const FILE_BYTES_MIN = 1024 * 1024;
