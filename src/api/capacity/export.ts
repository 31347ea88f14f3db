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
import type { ChainId } from "../../unit/id.ts";

/** A bill and those before it, with all that they rest on. */
export async function exportCapacity(db: Kysely<DB>, last: CapacityBill): Promise<CapacityExport> {
  const [hostId, providerPartyId] = [last.host.id, last.lender.id];
  const bills = (await listCapacityBills(db, { hostId, providerPartyId })).filter(
    ({ bill }) => bill.number <= last.number,
  );
  const usage: string[] = [];
  for (const { chainId, seq } of readOf(bills.map(({ bill }) => bill))) {
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

/** So far the bills have read each chain: for what they charge, or for what it draws on codes. */
function readOf(bills: readonly CapacityBill[]) {
  const heads = new Map<ChainId, number>();
  for (const { evidence } of bills) {
    for (const { chainId, seq } of [...evidence.chains, ...(evidence.drawn ?? [])]) {
      heads.set(chainId, Math.max(seq, heads.get(chainId) ?? 0));
    }
  }
  return [...heads].map(([chainId, seq]) => ({ chainId, seq }));
}
