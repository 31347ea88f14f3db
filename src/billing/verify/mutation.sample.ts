import { hashRecord } from "../../meter/chain.ts";
import type { HashedRecord, UsageRecord } from "../../meter/record.ts";
import type { BillDocument, BillLine } from "../bill.ts";
import type { Bend, FlatExport } from "./export.sample.ts";
import type { FindingCode } from "./finding.ts";

export const OTHER = {
  lease: "lease_01k1111111111111111111",
  host: "host_01k1111111111111111111",
  partition: "partition_01k1111111111111111111",
  bill: "bill_01k1111111111111111111",
  batch: "batch_01k1111111111111111111",
} as const;
export const HASH = "f".repeat(64);

/** Bends record 3 before hashing; everything after it is made to fit. */
export const record3 = (change: (record: UsageRecord) => Partial<UsageRecord>): Bend => ({
  records: (records) => records.map((r) => (r.seq === 3 ? { ...r, ...change(r) } : r)),
});
/** Bends record 3 after the bill was made. */
export const shown3 = (change: (hashed: HashedRecord) => HashedRecord): Bend => ({
  hashed: (records) => records.map((r) => (r.record.seq === 3 ? change(r) : r)),
});
export const bill = (change: (bill: BillDocument) => Partial<BillDocument>): Bend => ({
  bill: (good) => ({ ...good, ...change(good) }),
});
export const line = (index: number, change: (line: BillLine) => Partial<BillLine>): Bend =>
  bill(({ lines }) => ({
    lines: lines.map((l, at) => (at === index ? { ...l, ...change(l) } : l)),
  }));
export const exported = (change: (good: FlatExport) => object): Bend => ({
  exported: (good) => ({ ...good, ...change(good) }),
});
/** The same of a lease of shared cpu. */
export const shared = (bend: Bend): Bend => ({ ...bend, cpuMode: "shared" });
export const plus = (text: string, by: bigint): string => String(BigInt(text) + by);
export const cut = (jws: string | null): string => (jws ?? "").slice(0, -20);
export const spoil = (jws: string | null): string => (jws ?? "").replace(/.{8}$/, "AAAAAAAA");
export const respell = (jws: string | null): string => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const text = jws ?? "";
  return text.slice(0, -1) + alphabet.charAt(alphabet.indexOf(text.slice(-1)) ^ 1);
};

/** What was done to an honest export, and the finding that must name it. */
export type Mutation = readonly [string, Bend, FindingCode];

export function rehashed(record: UsageRecord): HashedRecord {
  return { record, hash: hashRecord(record) };
}
