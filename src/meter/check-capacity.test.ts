import { expect, test } from "vitest";
import { newId } from "../unit/id.ts";
import type { RecordCapacity } from "./capacity-record.ts";
import { type ClaimTerms, claimFault, type DebitTerms, type UsedBefore } from "./check-capacity.ts";
import type { UsageRecord } from "./record.ts";

const serviceId = newId("service");
const codeId = newId("code");
const at = (text: string, ns: bigint) => ({ at: text, bootId: "b", monotonicNs: ns.toString() });
const SECOND = 1_000_000_000n;
const capacity: RecordCapacity = {
  ...{ serviceId, mode: "shared", resource: "cpu", state: "in-service" },
  period: { start: "2027-01-31T08:00:00.000Z", end: "2027-01-31T09:00:00.000Z" },
  threshold: { kind: "allowance", milliCoreNs: (50n * 1000n * SECOND).toString() },
  meteredQuantity: (40n * 1000n * SECOND).toString(),
  debits: [{ codeId, quantity: (30n * 1000n * SECOND).toString() }],
  overdraft: (10n * 1000n * SECOND).toString(),
};
const record: UsageRecord = {
  ...{ version: 1, chainId: newId("chain"), seq: 2, previousHash: "0".repeat(64) },
  ...{ hostId: newId("host"), partitionId: newId("partition"), cpuMode: "shared" },
  size: { cpuMilli: 500, memoryBytes: 0, diskBytes: 0 },
  from: at("2027-01-31T08:10:00Z", 0n),
  to: at("2027-01-31T08:11:00Z", 60n * SECOND),
  ...{ elapsedNs: (60n * SECOND).toString(), deliveredNs: (60n * SECOND).toString() },
  ...{ cpuNs: (60n * SECOND).toString(), gap: false, final: false, capacity },
};
const terms: ClaimTerms = {
  ...{ serviceId, mode: "shared", resource: "cpu", quantity: 2000 },
  billingPeriod: { kind: "fixed", seconds: 3600, anchor: "2026-01-01T00:00:00Z" },
  threshold: { kind: "allowance" },
};
const before: UsedBefore = { used: 30n * 1000n * SECOND, isWhole: true, threshold: null };
const code: DebitTerms = {
  ...{ resource: "cpu", validFromMs: 0, validUntilMs: Date.parse("2028-01-01T00:00:00Z") },
  left: 30n * 1000n * SECOND,
};
const codeOf = (id: string) => (id === codeId ? code : undefined);
const fault = (change: Partial<RecordCapacity>, used = before, known = codeOf) =>
  claimFault({ ...record, capacity: { ...capacity, ...change } }, terms, used, known);

test("what follows from readings, use before and codes is taken", () => {
  expect(fault({})).toBeNull();
});

test("an excess is bounded while records before it lack, and exact once they are there", () => {
  const open = { ...before, used: 0n, isWhole: false };
  expect(fault({}, open)).toBeNull();
  expect(fault({}, { ...open, isWhole: true })).toContain("follows from its readings");
  const all = (61n * 1000n * SECOND).toString();
  expect(fault({ meteredQuantity: all }, open)).toContain("follows from its readings");
});

test.each([
  ["service", { serviceId: newId("service") }, "another service"],
  ["mode", { mode: "dedicated" as const }, "another mode"],
  ["resource", { resource: "memory" as const }, "another resource"],
  ["period", { period: { ...capacity.period, end: "2027-01-31T10:00:00.000Z" } }, "period"],
  ["threshold", { threshold: null }, "has a threshold"],
  ["sum", { overdraft: "0" }, "are not what was metered"],
  ["code", { debits: [{ codeId: newId("code"), quantity: "1" }] }, "not a code for it"],
  ["twice", { debits: [...capacity.debits, ...capacity.debits] }, "twice"],
])("a claim with another %s is refused with its reason", (_name, change, words) => {
  expect(fault(change)).toContain(words);
});

test("a code is drawn within its time, and for no more than it has left", () => {
  expect(fault({}, before, () => ({ ...code, left: 1n }))).toContain("than was left");
  expect(fault({}, before, () => ({ ...code, validUntilMs: 1 }))).toContain("not valid then");
});
