import type { LeaseOutcome, LeaseState } from "./state.ts";

export const RUN_KINDS = ["attached", "detached", "parallel"] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/**
 * The states of a run, derived from its leases and from what is known of its command:
 *
 *   queued ─▶ booting ─▶ uploading ─▶ running ─▶ collecting ─▶ done | failed | cancelled
 *
 * A run that waits for its partition is `queued`. `collecting`: the command has ended and what it
 * left is on its way, or its lease ends. `failed` has another exit code than 0, or none.
 */
export const RUN_STATES = [
  "queued",
  "booting",
  "uploading",
  "running",
  "collecting",
  "done",
  "failed",
  "cancelled",
] as const;
export type RunState = (typeof RUN_STATES)[number];

export interface RunFacts {
  readonly kind: RunKind;
  readonly exitCode: number | null;
  readonly isCancelled: boolean;
  readonly leases: readonly {
    readonly state: LeaseState;
    readonly outcome: LeaseOutcome | null;
    readonly isStarted: boolean;
    readonly exitCode: number | null;
  }[];
}

export function runState({ kind, exitCode, isCancelled, leases }: RunFacts): RunState {
  const known = exitCode ?? (kind === "detached" ? (leases[0]?.exitCode ?? null) : null);
  if (
    leases.every(({ state }) => state === "ended") ||
    (exitCode !== null && kind !== "detached")
  ) {
    if (isCancelled && known !== 0) return "cancelled";
    return known === 0 ? "done" : "failed";
  }
  const open = leases.filter(({ state }) => state !== "ended");
  const ready = open.filter(({ state }) => state === "ready");
  if (ready.some(({ exitCode: code }) => code === null)) {
    const isTold = kind === "detached";
    return !isTold || ready.some(({ isStarted }) => isStarted) ? "running" : "uploading";
  }
  if (open.some(({ state }) => state === "preparing")) return "booting";
  return open.some(({ state }) => state === "booked") ? "queued" : "collecting";
}
