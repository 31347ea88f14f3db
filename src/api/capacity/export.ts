import type { Kysely } from "kysely";
import type { CapacityBill } from "../../billing/capacity/bill.ts";
import { listCapacityBills } from "../../billing/capacity/bill-store.ts";
import type { CapacityExport } from "../../billing/export.ts";
import type { DB } from "../../database/types.ts";
import { listActsBatches } from "../../enablement/capacity/act-store.ts";
import { listCodesOfHost } from "../../enablement/capacity/code-store.ts";
import { listProviderKeys } from "../../enablement/capacity/provider-key-store.ts";
import { listHostKeys } from "../../host/key-store.ts";
import { listBatches } from "../../meter/record-store.ts";

/** A bill and those before it, with all that they rest on. */
export async function exportCapacity(db: Kysely<DB>, last: CapacityBill): Promise<CapacityExport> {
  const [hostId, providerPartyId] = [last.host.id, last.lender.id];
  const bills = (await listCapacityBills(db, { hostId, providerPartyId })).filter(
    ({ bill }) => bill.number <= last.number,
  );
  const usage: string[] = [];
  for (const { chainId, seq } of last.evidence.chains) {
    const batches = await listBatches(db, chainId, seq);
    usage.push(...batches.map(({ jws }) => jws));
  }
  const codes = await listCodesOfHost(db, { hostId, providerPartyId });
  const providerKeys = await listProviderKeys(db, providerPartyId);
  const agentKeys = await listHostKeys(db, hostId);
  return {
    ...{ hostId, providerId: providerPartyId, customerId: last.client.id },
    providerKeys: providerKeys.map((key) => ({ ...key })),
    agentKeys: agentKeys.map((key) => ({ ...key })),
    codeJws: codes.map(({ jws }) => jws),
    acts: await listActsBatches(db, hostId, Math.max(...bills.map(({ bill }) => bill.act.seq))),
    usageBatches: usage,
    bills: [...bills],
  };
}
