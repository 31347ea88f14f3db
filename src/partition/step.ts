import type { PowerState } from "../enablement/power.ts";
import type { GuestState } from "./driver.ts";

/**
 * One lease on its host, from the grant to the wipe. The stage is stored after the effect that
 * leads to it, and every effect may be repeated, so a crash between the two repeats the effect.
 *
 * | stage       | holds                                              | next                          |
 * |-------------|----------------------------------------------------|-------------------------------|
 * | `received`  | the server named the lease; nothing is believed    | `accepted`, or its end        |
 * | `accepted`  | the grant was verified here, the deadline is fixed | `imaged`                      |
 * | `imaged`    | the image's parts are in the cache                 | `allocated` when it is free   |
 * | `allocated` | the partition is re-cut and frozen; cores chosen   | `prepared`                    |
 * | `prepared`  | the guest's disk exists                            | `booted`                      |
 * | `booted`    | the guest's process was started                    | `ready` when it answers       |
 * | `ready`     | delivered, metered and reported                    | `stopping`                    |
 * | `stopping`  | the reason of the end is fixed and reported        | `stopped`                     |
 * | `stopped`   | the last reading is taken, no process is left      | `closed`                      |
 * | `closed`    | the usage chain has its final record; outputs go   | `wiped`                       |
 * | `wiped`     | nothing is left; the receipt is in the outbox      | `done` when all is delivered  |
 * | `done`      | the server has everything; kept as a tombstone     | none                          |
 *
 * From every stage before `stopping`, an end (expiry, a signed order, a failure) leads to
 * `stopping`. Nothing else leads out: that the server no longer names a lease is no end.
 */
export const LEASE_STAGES = [
  "received",
  "accepted",
  "imaged",
  "allocated",
  "prepared",
  "booted",
  "ready",
  "stopping",
  "stopped",
  "closed",
  "wiped",
  "done",
] as const;
export type LeaseStage = (typeof LEASE_STAGES)[number];

/** What is true of a lease on this host at one instant. */
export interface LeaseFacts {
  readonly stage: LeaseStage;
  /** Of a signed end or a recorded failure; null while nothing but time can end it. */
  readonly endReason: string | null;
  readonly nowNs: bigint;
  /** On the monotonic clock; null until the grant is accepted. */
  readonly endsAtNs: bigint | null;
  /** An earlier lease of the same partition is not wiped yet. */
  readonly isPartitionTaken: boolean;
  /** Null where the stage does not need it. */
  readonly guest: { readonly state: GuestState; readonly exitReason: string | null } | null;
  /** Null where nobody asked. */
  readonly answers: boolean | null;
  /** The client's last wish for its guest's power; `isCut`: the guest was stopped for it. */
  readonly power: {
    readonly state: PowerState;
    readonly isDone: boolean;
    readonly isCut: boolean;
  };
  /** What was last reported of a ready lease. */
  readonly isDelivered: boolean;
  /** How many readings in a row found the way in silent. */
  readonly silentReadings: number;
  /** Nothing may be tried before; null: at once. */
  readonly retryAtNs: bigint | null;
  /** When the guest's process was last started. */
  readonly bootedAtNs: bigint | null;
  /** The guest may have left something behind that is not with the server yet. */
  readonly hasOutputs: boolean;
  /** Every report and usage record of the lease is with the server. */
  readonly isSettled: boolean;
}

export type StepAction =
  | { readonly do: "wait"; readonly for: string }
  | { readonly do: "judge" | "fetch" | "allocate" | "prepare" | "boot" | "deliver" }
  | { readonly do: "count-failed-boot"; readonly reason: string }
  | { readonly do: "report-undelivered"; readonly reason: string }
  | { readonly do: "report-delivered" | "boot-again" }
  | { readonly do: "power-off" | "power-on" | "confirm-power" }
  | { readonly do: "fail"; readonly reason: string; readonly message: string }
  | { readonly do: "begin-end"; readonly reason: string }
  | { readonly do: "stop" | "close" | "collect" | "wipe" | "forget" };

export interface StepLimits {
  /** How long a started guest may take until it answers. */
  readonly bootTimeoutNs: bigint;
}

/** How many silent readings make a way in that does not work; one may be a lost packet. */
const SILENT_READINGS_MAX = 2;

/** Decides the one next action. Pure: the same facts give the same action. */
export function step(facts: LeaseFacts, limits: StepLimits): StepAction {
  const end = endOf(facts);
  if (end !== null) return { do: "begin-end", reason: end };
  if (facts.retryAtNs !== null && facts.nowNs < facts.retryAtNs) return wait("the next try");
  switch (facts.stage) {
    case "received":
      return { do: "judge" };
    case "accepted":
      return { do: "fetch" };
    case "imaged":
      return facts.isPartitionTaken ? wait("the partition's earlier lease") : { do: "allocate" };
    case "allocated":
      return { do: "prepare" };
    case "prepared":
      return { do: "boot" };
    case "booted":
      return stepBooted(facts, limits);
    case "ready":
      return stepReady(facts);
    case "stopping":
      return { do: "stop" };
    case "stopped":
      return { do: "close" };
    case "closed":
      return { do: facts.hasOutputs ? "collect" : "wipe" };
    case "wiped":
      return facts.isSettled ? { do: "forget" } : wait("the server");
    case "done":
      return wait("nothing");
  }
}

export function isEnding(stage: LeaseStage): boolean {
  return LEASE_STAGES.indexOf(stage) >= LEASE_STAGES.indexOf("stopping");
}

function endOf({ stage, endReason, endsAtNs, nowNs }: LeaseFacts): string | null {
  if (isEnding(stage)) return null;
  if (endReason !== null) return endReason;
  return endsAtNs !== null && nowNs >= endsAtNs ? "expired" : null;
}

function stepBooted(facts: LeaseFacts, limits: StepLimits): StepAction {
  if (facts.guest?.state !== "running") {
    return { do: "count-failed-boot", reason: facts.guest?.exitReason ?? "process-died" };
  }
  if (facts.answers === true) return { do: "deliver" };
  if (facts.bootedAtNs !== null && facts.nowNs - facts.bootedAtNs > limits.bootTimeoutNs) {
    const seconds = limits.bootTimeoutNs / 1_000_000_000n;
    const message = `the guest ran for ${seconds} s and its way in never answered`;
    return { do: "fail", reason: "boot-timeout", message };
  }
  return wait("the guest's way in");
}

function stepReady(facts: LeaseFacts): StepAction {
  const { guest, isDelivered, answers } = facts;
  if (guest === null) return wait("an observation");
  const wished = stepPower(facts.power, guest.state === "running");
  if (wished !== null) return wished;
  if (guest.state !== "running") {
    // A client that powers its own guest off keeps what it reserved, so nothing is started.
    const isOwnAct = guest.exitReason === "guest-powered-off" || facts.power.state === "off";
    const reason = guest.exitReason ?? "process-died";
    if (isDelivered) return { do: "report-undelivered", reason };
    return isOwnAct ? wait("the client, who has the guest off") : { do: "boot-again" };
  }
  if (isDelivered) {
    const isSilent = facts.silentReadings >= SILENT_READINGS_MAX;
    return isSilent ? { do: "report-undelivered", reason: "way-in-silent" } : wait("the end");
  }
  return answers === true ? { do: "report-delivered" } : wait("the guest's way in");
}

/** Null when every wish of the client's was done. */
function stepPower(
  { state, isDone, isCut }: LeaseFacts["power"],
  runs: boolean,
): StepAction | null {
  if (isDone) return null;
  if (state === "on") return { do: runs ? "confirm-power" : "power-on" };
  return { do: isCut ? "power-on" : "power-off" };
}

function wait(what: string): StepAction {
  return { do: "wait", for: what };
}
