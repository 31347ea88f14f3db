import { expect, test } from "vitest";
import { LEASE_STAGES, type LeaseFacts, step } from "./step.ts";

const LIMITS = { bootTimeoutNs: 100n };
const running = { state: "running", exitReason: null } as const;
const KEPT_OFF: Partial<LeaseFacts> = {
  stage: "ready",
  isDelivered: false,
  guest: { state: "exited", exitReason: "stopped" },
};

test.each<[string, Partial<LeaseFacts>, object]>([
  // In order of precedence.
  ["an order ends a ready lease", { stage: "ready", endReason: "x" }, { do: "begin-end" }],
  ["expiry ends it at its instant", { stage: "ready", endsAtNs: 50n }, { reason: "expired" }],
  ["and not before", { stage: "ready", endsAtNs: 51n, guest: running }, { do: "wait" }],
  ["a reason given stands over expiry", { endsAtNs: 1n, endReason: "x" }, { reason: "x" }],
  ["an end does not wait for a retry", { endReason: "x", retryAtNs: 99n }, { do: "begin-end" }],
  ["an end is begun once", { stage: "stopping", endReason: "x" }, { do: "stop" }],
  ["a failed effect waits for its next try", { retryAtNs: 51n }, { do: "wait" }],
  ["and is tried at its instant", { retryAtNs: 50n }, { do: "judge" }],
  ["a grant is judged first", { stage: "received" }, { do: "judge" }],
  ["then the image is fetched", { stage: "accepted" }, { do: "fetch" }],
  ["then the partition is re-cut", { stage: "imaged" }, { do: "allocate" }],
  ["unless another lease has it", { stage: "imaged", isPartitionTaken: true }, { do: "wait" }],
  ["then the disk is made", { stage: "allocated" }, { do: "prepare" }],
  ["then the guest is started", { stage: "prepared" }, { do: "boot" }],
  ["a guest that answers is delivered", booted({ answers: true }), { do: "deliver" }],
  ["one that does not is waited for", booted({ bootedAtNs: 0n }), { do: "wait" }],
  ["for so long", booted({ bootedAtNs: -51n }), { do: "fail", reason: "boot-timeout" }],
  [
    "one that ended while booting is counted",
    { stage: "booted", guest: { state: "exited", exitReason: null } },
    { do: "count-failed-boot", reason: "process-died" },
  ],
  [
    "a death is told before anything is done about it",
    { stage: "ready", guest: { state: "absent", exitReason: null } },
    { do: "report-undelivered", reason: "process-died" },
  ],
  [
    "then the guest is booted again",
    { stage: "ready", isDelivered: false, guest: { state: "absent", exitReason: null } },
    { do: "boot-again" },
  ],
  [
    "unless its client powered it off",
    {
      ...{ stage: "ready", isDelivered: false },
      guest: { state: "exited", exitReason: "guest-powered-off" },
    },
    { do: "wait" },
  ],
  [
    "a client's stop powers the guest off",
    { stage: "ready", guest: running, power: wish("off") },
    { do: "power-off" },
  ],
  [
    "and then keeps it off",
    { ...KEPT_OFF, power: { ...wish("off"), isDone: true, isCut: true } },
    { do: "wait" },
  ],
  ["until it is started", { ...KEPT_OFF, power: wish("on") }, { do: "power-on" }],
  [
    "a start of what runs is only confirmed",
    { stage: "ready", guest: running, power: wish("on") },
    { do: "confirm-power" },
  ],
  [
    "a restart begins with a stop",
    { stage: "ready", guest: running, power: wish("restart") },
    { do: "power-off" },
  ],
  [
    "and ends with a start, also after a crash between the two",
    { stage: "ready", guest: running, power: { ...wish("restart"), isCut: true } },
    { do: "power-on" },
  ],
  [
    "the end of a lease goes before any wish",
    { stage: "ready", endReason: "x", guest: running, power: wish("off") },
    { do: "begin-end" },
  ],
  [
    "a guest that answers again is told of",
    { stage: "ready", isDelivered: false, guest: running, answers: true },
    { do: "report-delivered" },
  ],
  [
    "one silent reading is no silence",
    { stage: "ready", guest: running, silentReadings: 1 },
    { do: "wait" },
  ],
  [
    "two are",
    { stage: "ready", guest: running, silentReadings: 2 },
    { do: "report-undelivered", reason: "way-in-silent" },
  ],
  ["a stopped guest's chain is closed", { stage: "stopped" }, { do: "close" }],
  ["what it left behind goes first", { stage: "closed", hasOutputs: true }, { do: "collect" }],
  ["then the guest is wiped", { stage: "closed" }, { do: "wipe" }],
  ["a wiped lease waits for the server", { stage: "wiped" }, { do: "wait" }],
  ["until it has everything", { stage: "wiped", isSettled: true }, { do: "forget" }],
  ["a tombstone does nothing", { stage: "done", isSettled: true }, { do: "wait" }],
])("%s", (_claim, facts, action) => {
  expect(step({ ...FACTS, ...facts }, LIMITS)).toMatchObject(action);
});

test("no stage ends a lease for any other reason than its end", () => {
  for (const stage of LEASE_STAGES) {
    const action = step({ ...FACTS, stage, guest: running }, LIMITS);
    expect(action.do, stage).not.toBe("begin-end");
  }
});

const FACTS: LeaseFacts = {
  stage: "received",
  endReason: null,
  nowNs: 50n,
  endsAtNs: null,
  isPartitionTaken: false,
  guest: null,
  answers: null,
  power: { state: "on", isDone: true, isCut: false },
  isDelivered: true,
  silentReadings: 0,
  retryAtNs: null,
  bootedAtNs: null,
  hasOutputs: false,
  isSettled: false,
};

function wish(state: LeaseFacts["power"]["state"]): LeaseFacts["power"] {
  return { state, isDone: false, isCut: false };
}

function booted(facts: Partial<LeaseFacts>): Partial<LeaseFacts> {
  return { stage: "booted", guest: running, answers: false, ...facts };
}
