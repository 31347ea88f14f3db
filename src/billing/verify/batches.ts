import { type HashedRecord, type UsageBatch, usageBatchSchema } from "../../meter/record.ts";
import { keyRing, type PublicJwk } from "../../signature/key.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { LeaseExport } from "../export.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

interface From {
  readonly agentKey: PublicJwk | null;
  readonly granted: Granted | null;
  /** Texts of batches by id: no id stands for two, in one lease or over several. */
  readonly seen: Map<string, string>;
}

/** The records that the host signed, each once, by number. What it did not sign does not count. */
export function readBatches(
  lease: LeaseExport,
  { agentKey, granted, seen }: From,
  report: Report,
): readonly HashedRecord[] {
  const keys = keyRing(agentKey === null ? [] : [agentKey]);
  const bySeq = new Map<number, HashedRecord>();
  const hostId = granted?.first.aud ?? lease.bills.at(0)?.bill.host.id;
  for (const [index, jws] of lease.usageBatches.entries()) {
    const where = `usageBatches[${index}]`;
    const signed = { jws, typ: "sublet-usage", keys, schema: usageBatchSchema } as const;
    const batch = report.open("batch", where, signed);
    if (batch === null) continue;
    checkBatch(batch, { hostId, leaseId: lease.leaseId }, where, report);
    report.require(
      (seen.get(batch.batchId) ?? jws) === jws,
      "batch-id-reused",
      where,
      `${batch.batchId} stands for two different batches`,
    );
    seen.set(batch.batchId, jws);
    for (const hashed of batch.records) takeRecord(bySeq, hashed, report);
  }
  return [...bySeq.values()].sort((a, b) => a.record.seq - b.record.seq);
}

function checkBatch(
  batch: UsageBatch,
  { hostId, leaseId }: { readonly hostId: string | undefined; readonly leaseId: string },
  where: string,
  report: Report,
): void {
  report.require(
    batch.hostId === hostId,
    "batch-other-host",
    where,
    `the batch is ${batch.hostId}'s, the lease on ${hostId}`,
  );
  report.require(
    batch.chainId === leaseId,
    "batch-other-chain",
    where,
    `the batch is of ${batch.chainId}, where ${leaseId} is`,
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
