import { STRANGER_KEY } from "./export.sample.ts";
import { cut, exported, HASH, type Mutation, OTHER, respell, spoil } from "./mutation.sample.ts";

/** For tests: the host's key, batches and wipe receipt, bent. */
export const HOST_MUTATIONS: readonly Mutation[] = [
  ["no key of the host", exported(() => ({ agentKey: null })), "agent-key-missing"],
  [
    "a host's key that is none",
    exported(() => ({ agentKey: { kty: "OKP" } })),
    "agent-key-malformed",
  ],
  [
    "another host's key",
    exported(() => ({ agentKey: STRANGER_KEY.publicJwk })),
    "grant-other-agent-key",
  ],
  [
    "everything of the host's signed anew by another key, which is shown",
    {
      batchKey: STRANGER_KEY,
      wipeKey: STRANGER_KEY,
      ...exported(() => ({ agentKey: STRANGER_KEY.publicJwk })),
    },
    "grant-other-agent-key",
  ],
  ["batches signed by another key", { batchKey: STRANGER_KEY }, "batch-unknown-key"],
  [
    "a batch cut off",
    exported((e) => ({ usageBatches: e.usageBatches.map(cut) })),
    "batch-malformed",
  ],
  [
    "a batch with another signature",
    exported((e) => ({ usageBatches: e.usageBatches.map(spoil) })),
    "batch-bad-signature",
  ],
  [
    "a batch whose last character is another that decodes alike",
    exported((e) => ({ usageBatches: e.usageBatches.map(respell) })),
    "batch-not-canonical",
  ],
  [
    "a batch that is a wipe receipt",
    exported((e) => ({ usageBatches: [e.wipeReceiptJws, ...e.usageBatches] })),
    "batch-wrong-type",
  ],
  [
    "a batch of another host",
    { batches: (all) => all.map((b) => ({ ...b, hostId: OTHER.host })) },
    "batch-other-host",
  ],
  [
    "a batch of another lease",
    { batches: (all) => all.map((b) => ({ ...b, chainId: OTHER.lease })) },
    "batch-other-chain",
  ],
  [
    "a batch id used twice",
    { batches: (all) => all.map((b) => ({ ...b, batchId: "batch_01k0000000000000000000" })) },
    "batch-id-reused",
  ],
  [
    "records swapped within a batch",
    { batches: (all) => all.map((b) => ({ ...b, records: [...b.records].reverse() })) },
    "batch-out-of-order",
  ],
  [
    "a batch dropped",
    exported((e) => ({ usageBatches: e.usageBatches.slice(1) })),
    "record-missing",
  ],

  ["a wipe receipt by another key", { wipeKey: STRANGER_KEY }, "wipe-receipt-unknown-key"],
  [
    "a wipe receipt cut off",
    exported((e) => ({ wipeReceiptJws: cut(e.wipeReceiptJws) })),
    "wipe-receipt-malformed",
  ],
  [
    "a wipe receipt that is a grant",
    exported((e) => ({ wipeReceiptJws: e.grantJws })),
    "wipe-receipt-wrong-type",
  ],
  [
    "a wipe receipt of another lease",
    { wipeReceipt: (w) => ({ ...w, leaseId: OTHER.lease }) },
    "wipe-receipt-other-lease",
  ],
  [
    "a wipe receipt of another host",
    { wipeReceipt: (w) => ({ ...w, hostId: OTHER.host }) },
    "wipe-receipt-other-host",
  ],
  [
    "a wipe receipt of another partition",
    { wipeReceipt: (w) => ({ ...w, partitionId: OTHER.partition }) },
    "wipe-receipt-other-partition",
  ],
  [
    "a wipe receipt for another grant",
    { wipeReceipt: (w) => ({ ...w, grantJti: "grant-9999" }) },
    "wipe-receipt-other-grant",
  ],
  [
    "a wipe receipt for no grant",
    { wipeReceipt: (w) => ({ ...w, grantJti: null }) },
    "wipe-receipt-other-grant",
  ],
  [
    "a wipe after more records than are shown",
    { wipeReceipt: (w) => ({ ...w, finalSeq: w.finalSeq + 1 }) },
    "wipe-receipt-seq-differs",
  ],
  [
    "a wipe after another last record",
    { wipeReceipt: (w) => ({ ...w, finalHash: HASH }) },
    "wipe-receipt-hash-differs",
  ],
];
