import { getBillOfParty } from "../../billing/bill-store.ts";
import { capacityStatement } from "../../billing/delivery/capacity-statement.ts";
import type { DeliveredBill } from "../../billing/delivery/delivery.ts";
import { billStatement } from "../../billing/delivery/statement.ts";
import { getParty } from "../../party/store.ts";
import type { BillId, KeyId, PartyId } from "../../unit/id.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { exportUsage } from "../client/export-usage.ts";
import type { ServerContext } from "../context.ts";

/** Names no key that anybody has. */
const SERVER_KEY: KeyId = "key_0000000000000000000000";

/** A bill as its customer gets it: what that party could fetch by itself, and nothing else. */
export async function readDeliveredBill(
  context: ServerContext,
  billId: BillId,
  partyId: PartyId,
): Promise<DeliveredBill> {
  const db = context.db.kysely;
  const { document } = await getBillOfParty(db, partyId, billId);
  const caller = await getParty(db, partyId);
  // By no key of the party's: the server itself asks, for what the party may fetch.
  const holder = { ...caller, keyId: SERVER_KEY };
  const input = { caller: holder, params: undefined, body: undefined, query: { billId } };
  const evidence = await exportUsage(context, input);
  const currency = document.kind === "capacity" ? document.currency : document.tariff.currency;
  const total = formatMoneyMicros(BigInt(document.totalMicros));
  const url = context.publicUrl();
  return {
    billId,
    closedAt: document.closedAt,
    total: `${total} ${currency}`,
    summary: {
      billId,
      number: document.number,
      kind: document.kind,
      ...(document.kind === "capacity"
        ? { act: document.act }
        : { leaseId: document.leaseId, partition: document.partition }),
      client: document.client,
      lender: document.lender,
      host: document.host,
      period: document.period,
      used: document.used,
      closedAt: document.closedAt,
      incomplete: document.incomplete ?? false,
      currency,
      totalMicros: document.totalMicros,
      total,
      links: {
        bill: `${url}/v1/bills/${billId}`,
        evidence: `${url}/v1/usage-export?billId=${billId}`,
      },
    },
    statement: document.kind === "capacity" ? capacityStatement(document) : billStatement(document),
    evidence,
  };
}
