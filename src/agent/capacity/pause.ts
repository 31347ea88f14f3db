import type { PauseReason } from "../../enablement/capacity/act.ts";
import type { Reading } from "../../meter/reading.ts";
import type { AgentContext } from "../context.ts";
import type { Guest } from "../guests.ts";
import { writeAct } from "./act-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { hostIdOf } from "./host.ts";
import { deletePause, readPause, writePause } from "./pause-store.ts";
import type { ServiceRow } from "./service-store.ts";

/**
 * Tells in the acts when a dedicated service's timer stands still and why, and when it runs again,
 * with the reading that saw it and in its transaction. `last` is the reading before: from there on
 * nothing was counted. What is being given back is not paused, it ends.
 */
export function notePause(
  context: AgentContext,
  now: CapacityNow,
  { serviceId, mode, state }: ServiceRow,
  { last, reading, off }: { last: Reading | null; reading: Reading; off: PauseReason },
): void {
  const { db } = context;
  if (mode !== "dedicated" || state !== "in-service") return;
  const before = readPause(db, serviceId);
  const write = (kind: "service-paused", reason: PauseReason) => {
    const { at, bootId, monotonicNs } = last ?? reading;
    const from = { at, bootId, monotonicNs: monotonicNs.toString() };
    writeAct(db, hostIdOf(context), now, { kind, serviceId, reason, from });
    writePause(db, serviceId, reason);
  };
  if (!reading.answered) {
    // The way out of a pause leads through a guest that boots: that is no other reason.
    if (before === null || (before !== off && !PASSING.has(off))) write("service-paused", off);
    return;
  }
  const between = before === null && last !== null ? lifeEndedBetween(last, reading) : null;
  if (between !== null) write("service-paused", between);
  if (before === null && between === null) return;
  writeAct(db, hostIdOf(context), now, { kind: "service-resumed", serviceId });
  deletePause(db, serviceId);
}

const PASSING: ReadonlySet<PauseReason> = new Set(["not-in-guest", "unknown"]);

/** Nobody saw it off, and yet it is another life of the guest's that has the resource now. */
function lifeEndedBetween(last: Reading, next: Reading): PauseReason | null {
  if (last.bootId !== next.bootId) return "host-restarted";
  return last.processId === next.processId ? null : "guest-restarted";
}

/** Why nothing counts in this guest when it does not; null: there is none of this service's. */
export function offReasonOf(guest: Guest | null): PauseReason {
  if (guest === null) return "no-guest";
  if (guest.isRunning) return "not-in-guest";
  if (guest.isOffWished) return guest.origin === "own" ? "stopped-by-owner" : "stopped-by-client";
  return EXITS.find((reason) => reason === guest.exitReason) ?? "unknown";
}

/** What a driver says of a guest that ended. */
const EXITS: readonly PauseReason[] = [
  ...(["guest-powered-off", "guest-crashed", "machine-failed", "process-died"] as const),
  "host-restarted",
];
