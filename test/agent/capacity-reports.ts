import type { AgentContext } from "../../src/agent/context.ts";
import { actsBatchSchema } from "../../src/enablement/capacity/act.ts";
import type { ReceiptFile, ReportFile } from "../../src/enablement/capacity/report-file.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { claimedPayload, sign, verify } from "../../src/signature/envelope.ts";
import { keyRing } from "../../src/signature/key.ts";
import type { Provider } from "./capacity.ts";

/**
 * What a provider makes of a report: it verifies every text and gives a receipt for each. One that
 * has restored an older database has no more than `most` of the acts and of each chain.
 */
export function receiptsFor(
  agent: AgentContext,
  provider: Provider,
  report: ReportFile,
  { by = provider.key, receivedAt = "2027-02-01T00:00:00Z", most = Number.POSITIVE_INFINITY } = {},
) {
  const keys = keyRing([agent.keys.current().publicJwk]);
  const about = { iss: provider.providerId, aud: report.hostId, receivedAt };
  const acts = report.acts.map((jws) => {
    const read = verify({ jws, typ: "sublet-acts", keys, schema: actsBatchSchema });
    if (!read.ok) throw new Error(read.message);
    const { batchId, acts: own, head } = read.payload;
    const contiguousSeq = Math.min(own.at(-1)?.record.seq ?? head.seq, most);
    return sign("sublet-acts-receipt", { ...about, batchId, contiguousSeq }, by);
  });
  const usage = report.usage.map((jws) => {
    const read = verify({ jws, typ: "sublet-usage", keys, schema: usageBatchSchema });
    if (!read.ok) throw new Error(read.message);
    const { batchId, chainId, records } = read.payload;
    const contiguousSeq = Math.min(records.at(-1)?.record.seq ?? 0, most);
    return sign("sublet-receipt", { ...about, batchId, chainId, contiguousSeq }, by);
  });
  const file: ReceiptFile = {
    ...{ kind: "sublet-capacity-receipts", version: 1 },
    ...{ hostId: report.hostId, providerId: provider.providerId, receipts: [...acts, ...usage] },
  };
  return file;
}

/** The numbers of the acts that a report holds. */
export function actsIn({ acts }: ReportFile): readonly number[] {
  return acts
    .flatMap((jws) => actsBatchSchema.parse(claimedPayload(jws)).acts)
    .map(({ record }) => record.seq);
}

export function recordsIn({ usage }: ReportFile): number {
  const batches = usage.map((jws) => usageBatchSchema.parse(claimedPayload(jws)));
  return batches.reduce((sum, { records }) => sum + records.length, 0);
}

/** What the last text of a report says of where the host's ledger stands. */
export function headOf({ acts }: ReportFile) {
  const { head } = actsBatchSchema.parse(claimedPayload(acts.at(-1) ?? ""));
  return { ...head, atMs: Date.parse(head.at), runNs: BigInt(head.runNs) };
}
