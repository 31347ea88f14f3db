import { baseCores } from "../../host/capacity.ts";
import { poolOf } from "../../partition/allocation.ts";
import { DriverError } from "../../partition/driver.ts";
import { readPartition } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { type Guest, resizeGuest } from "../guests.ts";
import { listCodes } from "./code-store.ts";
import { deleteRaised, listRaised, writeRaised } from "./raised-store.ts";
import { pooledCores, type ServiceRow, sharedServices } from "./service-store.ts";

/** The cores of the pool at present, enabled ones included. */
export function presentPool({ db, capacity }: AgentContext, guests: readonly Guest[]) {
  return poolOf([...baseCores(capacity.facts), ...pooledCores(db)], guests);
}

/**
 * Of shared capacity: any guest has more than it has by right. What waits for a guest's next life
 * is held by those that were raised in this one.
 */
export function isPoolHeld(
  { db }: AgentContext,
  { processId, state, means }: ServiceRow,
  guests: readonly Guest[],
): boolean {
  if (processId === null) return false;
  if (state !== "unreturned" || means !== "next-boot") return true;
  const raised = listRaised(db);
  return guests.some((guest) =>
    raised.some(
      (one) =>
        guest.isRunning && one.guestId === guest.guestId && one.processId === guest.processId,
    ),
  );
}

/**
 * Lets the owner's shared guests use more than their entitlement while capacity is enabled for the
 * pool, up to their partition's maximum, and no more once it is not. A leased guest keeps what its
 * lease has frozen. A guest that takes no notice is not asked again in this life. Returns the first
 * failure to take back what a guest had; `busy`: one that has it is busy, and is asked in the next pass.
 */
export async function keepRaisedOnce(
  context: AgentContext,
  guests: readonly Guest[],
): Promise<DriverError | "busy" | null> {
  const { db } = context;
  const pool = presentPool(context, guests);
  const states = new Set(sharedServices(db).map(({ state }) => state));
  const isEnabled = states.has("in-service");
  // Guests keep what was not given back until they are brought to it, and no other gets it.
  if (!isEnabled && states.has("unreturned")) return null;
  const raised = new Map(listRaised(db).map((one) => [one.guestId, one]));
  let failure: DriverError | "busy" | null = null;
  for (const guest of guests) {
    const { guestId, processId, cpuMode, origin, size } = guest;
    const before = raised.get(guestId);
    raised.delete(guestId);
    const isOwnShared = cpuMode === "shared" && origin === "own";
    if (!isOwnShared || !guest.isRunning || processId === null) continue;
    const max = readPartition(db, guest.partition.id)?.max.cpuMilli ?? size.cpuMilli;
    const most = Math.max(size.cpuMilli, Math.min(max, pool.length * 1000));
    const cpuMilli = isEnabled ? most : size.cpuMilli;
    const present =
      before?.processId === processId
        ? before.cpuMilli
        : isLookedAt(context, processId)
          ? size.cpuMilli
          : null;
    if (cpuMilli === present) continue;
    const isTakenBack = present === null || cpuMilli < present;
    try {
      const to = { size: { ...size, cpuMilli }, cores: pool };
      if ((await resizeGuest(context, guestId, to)) === null) {
        if (isTakenBack && cpuMilli === size.cpuMilli) failure ??= "busy";
        continue;
      }
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      context.log.warn({ guestId, cpuMilli, err: error }, "a shared guest keeps the size it had");
      if (isTakenBack) {
        failure ??= error;
        continue;
      }
    }
    lookedAt.get(db)?.add(processId);
    if (cpuMilli === size.cpuMilli) deleteRaised(db, guestId);
    else writeRaised(db, { guestId, processId, cpuMilli });
  }
  for (const guestId of raised.keys()) deleteRaised(db, guestId);
  return failure;
}

/**
 * The lives of shared guests that this agent has sized, or that began under it without a code: an
 * agent of before may have died between raising one and recording it.
 */
const lookedAt = new WeakMap<object, Set<string>>();

function isLookedAt({ db }: AgentContext, processId: string): boolean {
  const known = lookedAt.get(db) ?? new Set();
  lookedAt.set(db, known);
  if (known.has(processId)) return true;
  // Where nothing was ever enabled, nothing was ever raised.
  if (listCodes(db).length === 0) known.add(processId);
  return known.has(processId);
}

/** Without the guests' doing: their virtual cpus share the cores that stay. */
export async function repinPool(context: AgentContext, guests: readonly Guest[]): Promise<void> {
  const pool = presentPool(context, guests);
  for (const { guestId, cpuMode } of guests) {
    if (cpuMode === "shared") await context.driver.moveToCores(guestId, pool);
  }
  for (const { guestId } of listRaised(context.db)) deleteRaised(context.db, guestId);
}
