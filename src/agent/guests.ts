import type { Resized } from "../partition/driver.ts";
import { isEnding, type LeaseStage } from "../partition/step.ts";
import type { LeaseId, PartitionId } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { AgentContext } from "./context.ts";
import { baseSizeOf } from "./grant-parts.ts";
import { type GuestOrigin, listLeases, readLease } from "./lease/store.ts";

/** A guest of this host, whoever it is for: what metered capacity is put into and counted in. */
export interface Guest {
  /** The lease's id, and the driver's name of the guest. */
  readonly guestId: LeaseId;
  readonly origin: GuestOrigin;
  readonly partition: { readonly id: PartitionId; readonly name: string };
  readonly cpuMode: CpuMode;
  /** As it was granted, of the base: without what of its lease is standby's. */
  readonly size: Size;
  /** Of the base: dedicated ones, or the pool. */
  readonly cores: readonly number[];
  /** Names one life of its process; null: there is none. */
  readonly processId: string | null;
  readonly isRunning: boolean;
  /** Nanoseconds since the process began. */
  readonly cpuNs: bigint;
  /** Why it does not run, as its driver says, where that is known. */
  readonly exitReason: string | null;
  /** Whose guest it is has switched it off, or is restarting it. */
  readonly isOffWished: boolean;
}

/** Every own and leased guest that was started, until its stop is done; observed now. */
export async function listGuests(context: AgentContext): Promise<readonly Guest[]> {
  const started = listLeases(context.db).filter(
    ({ stage, bootedAtNs }) => bootedAtNs !== null && mayRun(stage),
  );
  return Promise.all(
    started.map(async ({ leaseId, origin, partitionId, granted, cores, ...row }) => {
      if (granted === null) throw new Error(`${leaseId} was started without a verified grant`);
      const { name, cpuMode } = granted.partition;
      const size = baseSizeOf(granted);
      const { state, processId, cpuNs, exitReason } = await context.driver.observe(leaseId);
      const partition = { id: partitionId, name };
      const isOffWished = row.powerState === "off" || row.isPowerCut;
      const seen = { processId, isRunning: state === "running", cpuNs, exitReason, isOffWished };
      return { guestId: leaseId, origin, partition, cpuMode, size, cores, ...seen };
    }),
  );
}

function mayRun(stage: LeaseStage): boolean {
  return stage === "stopping" || !isEnding(stage);
}

/**
 * Gives a running guest more than it was granted, or takes that back; with the cores for all of it.
 * Null: the guest is busy or ending, ask again. Throws `resize-refused` like the driver. What was
 * plugged lasts as long as the process: a guest that is booted again has what it was granted.
 */
export async function resizeGuest(
  context: AgentContext,
  guestId: LeaseId,
  to: { readonly size: Size; readonly cores: readonly number[] },
): Promise<Resized | null> {
  let resized: Resized | null = null;
  await context.turns.tryTake(guestId, async () => {
    const row = readLease(context.db, guestId);
    if (row === null || isEnding(row.stage)) return;
    resized = await context.driver.resize(guestId, to);
  });
  return resized;
}
