import type { Kysely } from "kysely";
import type { Database } from "../../database/connect.ts";
import { errorFields, isConnectionLost } from "../../database/failure.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import {
  listActsOfKind,
  listCapacityChains,
  readContiguousAct,
} from "../../enablement/capacity/act-store.ts";
import { listCodesOfHost } from "../../enablement/capacity/code-store.ts";
import type { Issuer } from "../../enablement/issue.ts";
import { insertHostEventOnce, lockHost } from "../../host/store.ts";
import { readChains } from "../../meter/capacity-store.ts";
import { getParty } from "../../party/store.ts";
import { UseMismatch } from "../../rating/capacity.ts";
import { type HostId, newId, type PartyId } from "../../unit/id.ts";
import { queueDeliveries } from "../delivery/store.ts";
import { lockParty } from "../ledger-store.ts";
import { postBill } from "../post-bill.ts";
import { sealBill } from "../seal.ts";
import { RECORDS_DEADLINE_HOURS } from "../time-to-close.ts";
import { basisOf, type TimeToBillAct } from "./basis.ts";
import { insertCapacityBill, listCapacityBills, listUnbilled } from "./bill-store.ts";
import { type CapacityBillInput, makeCapacityBill } from "./make-bill.ts";

interface Billing {
  readonly issuer: Issuer;
  readonly now: Date;
}

/**
 * Closes a bill for every time to bill with all that it names, one after the other for a provider
 * and host; at the latest when the deadline has passed since the act came, on what is there.
 * Returns how many were closed.
 */
export async function closeCapacityBillsOnce(
  context: { readonly db: Database; readonly issuer: Issuer },
  now: Date,
): Promise<number> {
  const { db, issuer } = context;
  let closed = 0;
  for (const { hostId, providerPartyId } of await listUnbilled(db.kysely)) {
    try {
      const whose = { hostId, providerPartyId };
      closed += await transaction(db, (tx) => closeOfHost(tx, whose, { issuer, now }));
    } catch (error) {
      if (isConnectionLost(error)) throw error;
      if (error instanceof UseMismatch) {
        const detail = { code: "use-mismatch", message: error.message };
        // Under the host's lock: other servers, and the next pass, find the same at the same time.
        await transaction(db, async (tx) => {
          await lockHost(tx, hostId);
          await insertHostEventOnce(tx, { hostId, kind: "usage-refused", detail, now });
        });
      }
      db.log.error({ hostId, ...errorFields(error) }, "bills of capacity could not be closed");
    }
  }
  return closed;
}

interface Whose {
  readonly hostId: HostId;
  readonly providerPartyId: PartyId;
}

async function closeOfHost(tx: Kysely<DB>, whose: Whose, billing: Billing): Promise<number> {
  const host = await lockHost(tx, whose.hostId);
  await lockParty(tx, host.lenderPartyId);
  const facts = await readFacts(tx, whose);
  const earlier = [...facts.earlier];
  const billed = new Set(earlier.map(({ act }) => act.seq));
  let closed = 0;
  for (const [index, act] of facts.acts.entries()) {
    if (billed.has(act.record.seq)) continue;
    const acts = facts.acts.slice(0, index + 1).map(({ record }) => record as TimeToBillAct);
    const { chains, missing } = basisOf(acts, facts.chains, facts.recordsOf);
    const detail = (act.record as TimeToBillAct).act;
    const own = new Set<string>(detail.chains.map(({ chainId }) => chainId));
    const lacks = missing.some(({ chainId }) => own.has(chainId));
    const missingActs =
      facts.contiguous < act.record.seq
        ? [{ fromSeq: facts.contiguous + 1, toSeq: act.record.seq }]
        : [];
    const deadlineMs = act.receivedAt.getTime() + RECORDS_DEADLINE_HOURS * 3_600_000;
    const isWhole = !lacks && missingActs.length === 0;
    if (!isWhole && billing.now.getTime() < deadlineMs) break;
    const customer = await getParty(tx, host.lenderPartyId);
    const provider = await getParty(tx, whose.providerPartyId);
    const { currency, minorUnitDigits } = facts.market;
    const document = makeCapacityBill({
      billId: newId("bill", billing.now.getTime()),
      client: { id: customer.partyId, name: customer.name },
      lender: { id: provider.partyId, name: provider.name },
      host: { id: host.hostId, name: host.name },
      act: {
        ...{ seq: act.record.seq, hash: act.hash, at: act.record.at, reason: detail.reason },
      },
      ...{ period: detail.period, currency, minorUnitDigits, earlier, chains, named: own },
      ...{ tariffOf: facts.tariffOf, missing, missingActs, closedAt: billing.now },
    });
    const jws = sealBill(document, billing.issuer.serverId, billing.issuer.key);
    await insertCapacityBill(tx, { document, jws, closedAt: billing.now });
    await postBill(tx, {
      ...{ billId: document.billId, leaseId: null, amounts: document, last: false },
      ...{ clientPartyId: customer.partyId, lenderPartyId: provider.partyId },
      ...{ terms: { feeMicros: BigInt(document.feeMicros) }, now: billing.now },
    });
    await queueDeliveries(tx, {
      billId: document.billId,
      customerPartyId: customer.partyId,
      now: billing.now,
    });
    earlier.push(document);
    closed += 1;
  }
  return closed;
}

async function readFacts(tx: Kysely<DB>, whose: Whose) {
  const { hostId, providerPartyId } = whose;
  const acts = (await listActsOfKind(tx, hostId, ["time-to-bill"])).filter(
    ({ record: { act } }) => act.kind === "time-to-bill" && act.providerId === providerPartyId,
  );
  const chains = (await listCapacityChains(tx, { hostId })).filter(
    (chain) => chain.providerPartyId === providerPartyId,
  );
  const records = await readChains(
    tx,
    chains.map(({ chainId }) => chainId),
  );
  const codes = await listCodesOfHost(tx, whose);
  const market = codes[0]?.code.tariff;
  if (!market) throw new Error(`${providerPartyId} has issued no code for ${hostId}`);
  const tariffOf: CapacityBillInput["tariffOf"] = (codeId) => {
    const found = codes.find((one) => one.codeId === codeId);
    if (!found) throw new UseMismatch(`${codeId} is drawn on, and was not issued for ${hostId}`);
    return found.code.tariff;
  };
  return {
    ...{ acts, chains, market, tariffOf },
    contiguous: await readContiguousAct(tx, hostId),
    recordsOf: (chainId: string) => records.get(chainId as `chain_${string}`) ?? [],
    earlier: (await listCapacityBills(tx, whose)).map(({ bill }) => bill),
  };
}
