import { expect, test } from "vitest";
import { type RunFacts, runState } from "./run-state.ts";

const lease = { state: "ready", outcome: null, isStarted: false, exitCode: null } as const;
const facts = (change: Partial<RunFacts>): RunFacts => ({
  ...{ kind: "detached", exitCode: null, isCancelled: false, leases: [lease] },
  ...change,
});

test.each<[string, Partial<RunFacts>]>([
  ["queued", { leases: [{ ...lease, state: "booked" }] }],
  ["booting", { leases: [{ ...lease, state: "preparing" }] }],
  ["uploading", {}],
  ["running", { leases: [{ ...lease, isStarted: true }] }],
  ["running", { kind: "attached" }],
  ["running", { kind: "parallel", leases: [lease, { ...lease, state: "ended" }] }],
  ["collecting", { leases: [{ ...lease, exitCode: 0 }] }],
  ["collecting", { leases: [{ ...lease, state: "ending", exitCode: 0 }] }],
  ["done", { leases: [{ ...lease, state: "ended", exitCode: 0 }] }],
  ["failed", { leases: [{ ...lease, state: "ended", exitCode: 1 }] }],
  ["failed", { leases: [{ ...lease, state: "ended" }] }],
  ["cancelled", { isCancelled: true, leases: [{ ...lease, state: "ended", exitCode: 143 }] }],
  ["cancelled", { isCancelled: true, leases: [{ ...lease, state: "ended" }] }],
  ["done", { isCancelled: true, leases: [{ ...lease, state: "ended", exitCode: 0 }] }],
  ["done", { kind: "attached", exitCode: 0, leases: [{ ...lease, state: "ending" }] }],
  ["failed", { kind: "parallel", exitCode: 1, leases: [{ ...lease, state: "ended" }] }],
])("is %s", (state, change) => {
  expect(runState(facts(change))).toBe(state);
});
