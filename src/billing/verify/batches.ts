import { type HashedRecord, type UsageBatch, usageBatchSchema } from "../../meter/record.ts";
import { keyRing, type PublicJwk } from "../../signature/key.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { BillExport } from "../bill.ts";
import type { Report } from "./report.ts";

/** The records that the host signed, each once, by number. What it did not sign does not count. */
export function readBatches(
  exported: BillExport,
  agentKey: PublicJwk | null,
  report: Report,
): readonly HashedRecord[] {
  const keys = keyRing(agentKey === null ? [] : [agentKey]);
  const bySeq = new Map<number, HashedRecord>();
  const jwsByBatchId = new Map<string, string>();
  for (const [index, jws] of exported.usageBatches.entries()) {
    const where = `usageBatches[${index}]`;
    const signed = { jws, typ: "sublet-usage", keys, schema: usageBatchSchema } as const;
    const batch = report.open("batch", where, signed);
    if (batch === null) continue;
    checkBatch(batch, exported, where, report);
    report.require(
      (jwsByBatchId.get(batch.batchId) ?? jws) === jws,
      "batch-id-reused",
      where,
      `${batch.batchId} stands for two different batches`,
    );
    jwsByBatchId.set(batch.batchId, jws);
    for (const hashed of batch.records) takeRecord(bySeq, hashed, report);
  }
  return [...bySeq.values()].sort((a, b) => a.record.seq - b.record.seq);
}

function checkBatch(batch: UsageBatch, { bill }: BillExport, where: string, report: Report): void {
  report.require(
    batch.hostId === bill.host.id,
    "batch-other-host",
    where,
    `the batch is ${batch.hostId}'s, the bill for ${bill.host.id}`,
  );
  report.require(
    batch.chainId === bill.leaseId,
    "batch-other-chain",
    where,
    `the batch is of ${batch.chainId}, the bill for ${bill.leaseId}`,
  );
  const numbers = batch.records.map(({ record }) => record.seq);
  report.require(
    numbers.every((seq, index) => index === 0 || seq === (numbers[index - 1] ?? 0) + 1),
    "batch-out-of-order",
    where,
    "its records are not in the order of their numbers",
  );
}

function takeRecord(bySeq: Map<number, HashedRecord>, hashed: HashedRecord, report: Report): void {
  const { seq } = hashed.record;
  const taken = bySeq.get(seq);
  report.require(
    taken === undefined || canonicalJson(taken) === canonicalJson(hashed),
    "record-repeated-differently",
    `record ${seq}`,
    "the host signed two records of this number that say different things",
  );
  bySeq.set(seq, taken ?? hashed);
}
