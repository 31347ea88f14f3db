import { expect, test } from "vitest";
import { type ChainCode, chainOrigin, checkChain, checkLink, hashRecord } from "./chain.ts";
import { sampleReading, sampleRecords } from "./metered.sample.ts";
import type { HashedRecord, UsageRecord } from "./record.ts";

const GRANT = "grant";
const ORIGIN = chainOrigin(GRANT);
const readings = Array.from({ length: 25 }, (_, index) => sampleReading(index * 10));
const records = sampleRecords(GRANT, readings);

const hashed = (record: UsageRecord): HashedRecord => ({ record, hash: hashRecord(record) });
/** Hashes and links made right again after a change, as a forger would. */
function relinked(changed: readonly UsageRecord[]): HashedRecord[] {
  let previousHash = ORIGIN;
  return changed.map((record) => {
    const next = hashed({ ...record, previousHash });
    previousHash = next.hash;
    return next;
  });
}
const plain = () => records.map(({ record }) => record);
const edited = (index: number, change: Partial<UsageRecord>): UsageRecord[] =>
  plain().map((record, at) => (at === index ? { ...record, ...change } : record));
const at = (index: number): HashedRecord => {
  const found = records[index];
  if (found === undefined) throw new Error(`there is no record at ${index}`);
  return found;
};

test("the chain as it was metered is right", () => {
  expect(records.length).toBe(4);
  expect(checkChain(ORIGIN, records)).toEqual({ ok: true });
  expect(checkChain(ORIGIN, [])).toEqual({ ok: true });
  expect(checkLink(ORIGIN, at(0))).toEqual({ ok: true });
  expect(checkLink(at(0), at(1))).toEqual({ ok: true });
});

const { to } = at(1).record;
test.each<[string, readonly HashedRecord[], ChainCode, number]>([
  [
    "an altered record",
    records.map((r, i) => (i === 1 ? { ...r, record: { ...r.record, deliveredNs: "1" } } : r)),
    "bad-hash",
    2,
  ],
  ["an altered hash", records.map((r, i) => (i === 1 ? { ...r, hash: ORIGIN } : r)), "bad-hash", 2],
  [
    "an altered record with its hash made right",
    records.map((r, i) => (i === 1 ? hashed({ ...r.record, deliveredNs: "1" }) : r)),
    "broken-link",
    3,
  ],
  ["a dropped record", records.filter((_, i) => i !== 1), "gap", 3],
  ["a dropped first record", records.slice(1), "gap", 2],
  ["two records swapped", [at(1), at(0), ...records.slice(2)], "gap", 2],
  ["a record twice", [at(0), at(0), ...records.slice(1)], "gap", 1],
  [
    "a dropped record, renumbered",
    relinked(
      plain()
        .filter((_, i) => i !== 1)
        .map((r, i) => ({ ...r, seq: i + 1 })),
    ),
    "not-joined",
    2,
  ],
  ["a chain from another grant", sampleRecords("another grant", readings), "broken-link", 1],
  [
    "a record of another lease",
    relinked(edited(1, { chainId: "lease_01k1111111111111111111" })),
    "wrong-chain",
    2,
  ],
  [
    "a record of another host",
    relinked(edited(1, { hostId: "host_01k1111111111111111111" })),
    "wrong-chain",
    2,
  ],
  [
    "a record of another size",
    relinked(edited(1, { size: { cpuMilli: 1, memoryBytes: 1, diskBytes: 1 } })),
    "wrong-chain",
    2,
  ],
  ["a record after the final one", relinked(edited(1, { final: true })), "after-final", 3],
  [
    "an interval that overlaps",
    relinked(edited(2, { from: { ...to, monotonicNs: String(BigInt(to.monotonicNs) - 1n) } })),
    "not-joined",
    3,
  ],
  [
    "an interval that begins at another wall time",
    relinked(edited(2, { from: { ...to, at: "2027-01-01T00:00:00Z" } })),
    "not-joined",
    3,
  ],
  [
    "an interval that ends before it begins",
    relinked(edited(1, { to: { ...to, monotonicNs: "0" } })),
    "backwards",
    2,
  ],
  [
    "a longer time than its instants allow",
    relinked(edited(1, { elapsedNs: "60000000001" })),
    "impossible",
    2,
  ],
  [
    "more delivered than elapsed",
    relinked(edited(1, { deliveredNs: "60000000001" })),
    "impossible",
    2,
  ],
  [
    "delivery across a restart",
    relinked(edited(1, { to: { ...to, bootId: "boot-b" } })),
    "impossible",
    2,
  ],
])("%s is named", (_name, chain, code, seq) => {
  expect(checkChain(ORIGIN, chain)).toMatchObject({ ok: false, code, seq });
});

test("a record's hash depends on every member", () => {
  const record = at(1).record;
  const changes: Partial<UsageRecord>[] = [
    { seq: 9 },
    { previousHash: ORIGIN },
    { cpuMode: "shared" },
    { elapsedNs: "1" },
    { deliveredNs: "1" },
    { cpuNs: "1" },
    { gap: true },
    { final: true },
    { from: record.to },
    { to: record.from },
  ];
  const hashes = new Set(changes.map((change) => hashRecord({ ...record, ...change })));
  hashes.add(hashRecord(record));
  expect(hashes.size).toBe(changes.length + 1);
});
