import {
  bill,
  HASH,
  type Mutation,
  OTHER,
  plus,
  record3,
  rehashed,
  shown3,
} from "./mutation.sample.ts";

/** For tests: records bent before or after hashing, and signed by the host all the same. */
export const RECORD_MUTATIONS: readonly Mutation[] = [
  [
    "an altered record",
    shown3(({ record, hash }) => ({ hash, record: { ...record, deliveredNs: "1" } })),
    "record-bad-hash",
  ],
  [
    "an altered record, its hash made to fit",
    shown3(({ record }) => rehashed({ ...record, deliveredNs: "1" })),
    "record-broken-link",
  ],
  [
    "an altered record, the quantity no longer the bill's",
    shown3(({ record }) => rehashed({ ...record, deliveredNs: "1" })),
    "line-quantity-differs",
  ],
  [
    "a record dropped",
    { hashed: (all) => all.filter(({ record }) => record.seq !== 3) },
    "record-missing",
  ],
  ["the first record dropped", { hashed: (all) => all.slice(1) }, "record-missing"],
  [
    "the numbers of two records swapped",
    {
      hashed: (all) =>
        all.map((r) => rehashed({ ...r.record, seq: [0, 1, 3, 2][r.record.seq] ?? r.record.seq })),
    },
    "record-broken-link",
  ],
  [
    "a second record of one number",
    {
      batches: (all) => [
        ...all,
        ...all.map((b) => ({
          ...b,
          batchId: OTHER.batch,
          records: b.records.map((r) => rehashed({ ...r.record, cpuNs: "1" })),
        })),
      ],
    },
    "record-repeated-differently",
  ],
  [
    "a chain that hangs on another grant",
    {
      hashed: (all) =>
        all.map((r) => (r.record.seq === 1 ? rehashed({ ...r.record, previousHash: HASH }) : r)),
    },
    "record-not-from-grant",
  ],
  ["a record of another lease", record3(() => ({ chainId: OTHER.lease })), "record-other-chain"],
  ["a record of another host", record3(() => ({ hostId: OTHER.host })), "record-other-host"],
  [
    "a record of another partition",
    record3(() => ({ partitionId: OTHER.partition })),
    "record-other-partition",
  ],
  ["a record of another cpu mode", record3(() => ({ cpuMode: "shared" })), "record-other-cpu-mode"],
  [
    "a record of a larger size",
    record3((r) => ({ size: { ...r.size, cpuMilli: 64_000 } })),
    "record-other-size",
  ],
  ["a final record in the middle", record3(() => ({ final: true })), "record-after-final"],
  [
    "an interval that overlaps the one before",
    record3((r) => ({
      from: { ...r.from, monotonicNs: plus(r.from.monotonicNs, -1n) },
      elapsedNs: plus(r.elapsedNs, 1n),
    })),
    "record-not-joined",
  ],
  [
    "an interval left out",
    { records: (all) => all.filter((r) => r.seq !== 3).map((r, i) => ({ ...r, seq: i + 1 })) },
    "record-not-joined",
  ],
  [
    "an interval that ends before it begins",
    record3((r) => ({ to: { ...r.to, monotonicNs: "0" } })),
    "record-clock-backwards",
  ],
  [
    "a longer time than its instants allow",
    record3((r) => ({
      elapsedNs: plus(r.elapsedNs, 10n ** 12n),
      deliveredNs: plus(r.elapsedNs, 10n ** 12n),
    })),
    "record-elapsed-differs",
  ],
  [
    "more delivered than elapsed",
    record3((r) => ({ deliveredNs: plus(r.elapsedNs, 1n) })),
    "record-delivered-above-elapsed",
  ],
  [
    "delivery across a restart of the host",
    record3((r) => ({ to: { ...r.to, bootId: "boot-b" }, gap: true })),
    "record-delivered-across-boots",
  ],
  [
    "a restart of the host that is not marked",
    record3((r) => ({ to: { ...r.to, bootId: "boot-b" }, deliveredNs: "0" })),
    "record-gap-unmarked",
  ],

  [
    "no final record",
    { records: (all) => all.map((r) => ({ ...r, final: false })) },
    "final-missing",
  ],
  ["the final record dropped", { hashed: (all) => all.slice(0, -1) }, "evidence-seq-differs"],
  ["no records at all", { batches: () => [] }, "final-missing"],
  [
    "a bill up to another record",
    bill((b) => ({ evidence: { ...b.evidence, finalSeq: 2 } })),
    "evidence-seq-differs",
  ],
  [
    "a bill made from another last record",
    bill((b) => ({ evidence: { ...b.evidence, finalHash: HASH } })),
    "evidence-hash-differs",
  ],
];
