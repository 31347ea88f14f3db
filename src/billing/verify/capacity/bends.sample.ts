import type { Act } from "../../../enablement/capacity/act.ts";
import type { RecordCapacity } from "../../../meter/capacity-record.ts";
import type { UsageRecord } from "../../../meter/record.ts";
import type { CapacityBill, CapacityLine } from "../../capacity/bill.ts";
import type { FindingCode } from "../finding.ts";
import type { CapacityBend } from "./export.sample.ts";

/** What is done to an honest export, by name, and the finding that must name it. */
export type CapacityMutation = readonly [string, CapacityBend, FindingCode];

export const record = (change: (record: UsageRecord) => Partial<UsageRecord>): CapacityBend => ({
  record: (one) => ({ ...one, ...change(one) }),
});
export const capacity = (
  change: (capacity: RecordCapacity) => Partial<RecordCapacity>,
): CapacityBend =>
  record((one) => (one.capacity ? { capacity: { ...one.capacity, ...change(one.capacity) } } : {}));
export const bill = (change: (bill: CapacityBill) => Partial<CapacityBill>): CapacityBend => ({
  bill: (one) => ({ ...one, ...change(one) }),
});
/** Of the second bill the line of p2, which is above its threshold. */
export const line = (change: (line: CapacityLine) => Partial<CapacityLine>): CapacityBend =>
  bill(({ lines }) => ({
    lines: lines.map((one) => (one.partition.name === "p2" ? { ...one, ...change(one) } : one)),
  }));
export const act = (
  kind: Act["act"]["kind"],
  change: (act: Act) => Partial<Act>,
): CapacityBend => ({
  act: (one) => (one.act.kind === kind ? { ...one, ...change(one) } : one),
});
export const more = (text: string, by = 1n) => String(BigInt(text) + by);
export const HASH = "f".repeat(64);
export const spoil = (jws: string) => jws.replace(/.{8}$/, "AAAAAAAA");
export const shift = (at: string) => new Date(Date.parse(at) + 3_600_000).toISOString();
