import type { GuestSpec, Resized } from "../../driver.ts";
import type { Emulator } from "../boot.ts";
import { limitsOf } from "../boot.ts";
import { holdGroup } from "../control-group/group.ts";
import { neverBackwards } from "../counter.ts";
import type { GuestFolder } from "../guest-folder.ts";
import { cpuNsOf } from "../observe.ts";
import { pin } from "../pin.ts";
import { type GuestRecord, processIdOf, readRecord, writeRecord } from "../record.ts";
import { findRunning } from "../running.ts";
import { exitReasonOf } from "../status.ts";
import { plugCpu, plugMemory, refused, unplugCpu, unplugMemory } from "./hot-plug.ts";
import { readMachine } from "./machine.ts";
import { planResize, type ResizePlan } from "./plan.ts";

export interface ResizeTarget {
  readonly size: GuestSpec["size"];
  readonly cores: GuestSpec["cores"];
}

/**
 * Gives a running guest another size, or throws `resize-refused` and leaves it as it was. Nothing is
 * believed but what QEMU lists and the guest has answered; what was done of a resize that is
 * refused halfway is undone. Repeating it goes on from what is there.
 */
export async function resizeGuest(
  paths: GuestFolder,
  { driverTag, accelerator, architecture }: Emulator,
  target: ResizeTarget,
): Promise<Resized> {
  if (architecture !== "x86_64") throw refused(`guests of ${architecture} have no hot-plug here`);
  const record = await readRecord(paths);
  const running = await findRunning(paths, driverTag);
  if (record === null || running === null || (await exitReasonOf(paths)) !== null) {
    throw refused("the guest does not run; it has the new size when it is started with it");
  }
  const plan = planResize(await readMachine(paths), target.size, record.size.diskBytes);
  if (!plan.ok) throw refused(plan.message);
  const changesMemory = plan.memoryOut.length > 0 || plan.memoryInBytes > 0;
  if (record.cpuTakenOut === true && (changesMemory || plan.cpusIn.length > 0)) {
    throw refused(NOTHING_AFTER_CPU);
  }
  const { pid } = running.process;
  // A thread's counter dies with it: what it has counted is read and kept while it is there.
  await neverBackwards(paths, processIdOf(record), await cpuNsOf(paths, pid));
  // Also before cpus come in: one that the guest does not take goes out again.
  const mayLoseCpu = accelerator === "tcg" && plan.cpusIn.length + plan.cpusOut.length > 0;
  if (mayLoseCpu) await writeRecord(paths, { ...record, cpuTakenOut: true });
  await holdGroup(paths, limitsOf(larger(record, target)));
  try {
    await perform(paths, plan, accelerator);
  } catch (error) {
    await holdGroup(paths, limitsOf(await withWhatStayed(paths, record)));
    throw error;
  }
  const hasLostCpu = record.cpuTakenOut === true || (mayLoseCpu && plan.cpusOut.length > 0);
  const resized = {
    ...{ ...record, size: target.size, cores: target.cores },
    cpuTakenOut: hasLostCpu,
  };
  await pin(pid, resized);
  await writeRecord(paths, resized);
  await holdGroup(paths, limitsOf(resized));
  return { how: "live" };
}

/**
 * QEMU 7.2 keeps telling a virtual cpu that is gone of changes in the machine's memory when it
 * emulates, and dies of it; a cpu that comes in is such a change, too; both seen. So cpus go out
 * last, and afterwards nothing comes in and memory stays as it is.
 */
const NOTHING_AFTER_CPU =
  "neither memory nor cpus can be plugged any more after a virtual cpu was taken out under emulation; restart the guest first";

async function perform(
  paths: GuestFolder,
  plan: Extract<ResizePlan, { ok: true }>,
  accelerator: Emulator["accelerator"],
): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const piece of plan.memoryOut) {
      await unplugMemory(paths, piece);
      undo.push(() => plugMemory(paths, piece.bytes));
    }
    if (plan.memoryInBytes > 0) {
      const piece = await plugMemory(paths, plan.memoryInBytes);
      undo.push(() => unplugMemory(paths, piece));
    }
    for (const cpu of plan.cpusIn) {
      const plugged = await plugCpu(paths, cpu);
      undo.push(() => unplugCpu(paths, plugged));
    }
    for (const cpu of plan.cpusOut) {
      await unplugCpu(paths, cpu);
      // Under emulation it would be the guest's death: one that is out stays out.
      if (accelerator === "tcg") undo.length = 0;
      else undo.push(() => plugCpu(paths, cpu));
    }
  } catch (error) {
    for (const back of undo.reverse()) {
      await back().catch((cause: unknown) => {
        const half = "and what was done of it could not be undone";
        throw refused(`${String(error)}; ${half}: ${String(cause)}`, cause);
      });
    }
    throw error;
  }
}

/**
 * A guest may yet take what it was offered, late: then it has it until the next resize, which
 * begins with what QEMU lists. Its process must not die of memory that it was given.
 */
async function withWhatStayed(paths: GuestFolder, record: GuestRecord): Promise<GuestRecord> {
  const { baseBytes, pluggedBytes } = (await readMachine(paths)).memory;
  return { ...record, size: { ...record.size, memoryBytes: baseBytes + pluggedBytes } };
}

/** While it is under way the guest may need what it has and what it will have. */
function larger(record: GuestRecord, target: ResizeTarget): Pick<GuestSpec, "size" | "cpuMode"> {
  const { cpuMode } = record;
  const size = {
    ...target.size,
    cpuMilli: Math.max(record.size.cpuMilli, target.size.cpuMilli),
    memoryBytes: Math.max(record.size.memoryBytes, target.size.memoryBytes),
  };
  return { cpuMode, size };
}
