import type { Kysely } from "kysely";
import type { Database } from "../../database/connect.ts";
import { errorFields, isConnectionLost } from "../../database/failure.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import type { Issuer } from "../../enablement/issue.ts";
import { insertHostEventOnce, lockHost } from "../../host/store.ts";
import { getParty } from "../../party/store.ts";
import { UseMismatch } from "../../rating/capacity.ts";
import { newId } from "../../unit/id.ts";
import { queueDeliveries } from "../delivery/store.ts";
import { lockParty } from "../ledger-store.ts";
import { postBill } from "../post-bill.ts";
import { sealBill } from "../seal.ts";
import type { CapacityBill } from "./bill.ts";
import { insertCapacityBill } from "./bill-store.ts";
import { listDue, readTurn, setDue, type Whose } from "./due-store.ts";
import { readFacts } from "./facts.ts";
import { makeCapacityBill } from "./make-bill.ts";
import { nextBill } from "./next-bill.ts";

/** So that many hosts at once keep no other pass waiting; who was not reached comes first then. */
const HOSTS_A_PASS = 100;
/** So that a host with very many times to bill keeps no other waiting: it takes another turn. */
const BILLS_A_TURN = 20;
/** A host that cannot be billed is looked at again, behind those that can. */
const AGAIN_MS = 10 * 60_000;

interface Billing {
  readonly issuer: Issuer;
  readonly now: Date;
}

/**
 * Closes a bill for every time to bill with all that it names, one after the other for a provider
 * and host; at the latest when the deadline has passed since the act came, on what is there. What
 * an incomplete bill lacked becomes a correction of it once all of it has come, and at the latest
 * when the deadline has passed since that bill was closed. Hosts take turns. Returns how many bills
 * were closed.
 */
export async function closeCapacityBillsOnce(
  context: { readonly db: Database; readonly issuer: Issuer },
  now: Date,
): Promise<number> {
  const { db, issuer } = context;
  let closed = 0;
  for (const whose of await listDue(db.kysely, now, HOSTS_A_PASS)) {
    const { hostId } = whose;
    try {
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
      await setDue(db.kysely, whose, new Date(now.getTime() + AGAIN_MS));
    }
  }
  return closed;
}

async function closeOfHost(tx: Kysely<DB>, whose: Whose, billing: Billing): Promise<number> {
  const host = await lockHost(tx, whose.hostId);
  const turn = await readTurn(tx, whose, billing.now);
  if (!turn.isDue) {
    await setDue(tx, whose, turn.at);
    return 0;
  }
  await lockParty(tx, host.lenderPartyId);
  const facts = await readFacts(tx, whose);
  const customer = await getParty(tx, host.lenderPartyId);
  const provider = await getParty(tx, whose.providerPartyId);
  const parties = {
    client: { id: customer.partyId, name: customer.name },
    lender: { id: provider.partyId, name: provider.name },
    host: { id: host.hostId, name: host.name },
  };
  const earlier = [...facts.earlier];
  let dueAt: Date | null = null;
  for (;;) {
    if (earlier.length - facts.earlier.length === BILLS_A_TURN) {
      dueAt = billing.now;
      break;
    }
    const next = nextBill(facts, earlier, billing.now);
    if ("waitsUntil" in next) {
      dueAt = next.waitsUntil;
      break;
    }
    const { currency, minorUnitDigits } = facts.market;
    const document = makeCapacityBill({
      ...{ billId: newId("bill", billing.now.getTime()), ...parties, currency, minorUnitDigits },
      ...{ earlier, tariffOf: facts.tariffOf, closedAt: billing.now },
      ...{ codes: facts.codes, holding: facts.holding },
      ...next,
    });
    await close(tx, document, billing);
    earlier.push(document);
  }
  await setDue(tx, whose, dueAt);
  return earlier.length - facts.earlier.length;
}

async function close(
  tx: Kysely<DB>,
  document: CapacityBill,
  { issuer, now }: Billing,
): Promise<void> {
  const { billId, client, lender } = document;
  const jws = sealBill(document, issuer.serverId, issuer.key);
  await insertCapacityBill(tx, { document, jws, closedAt: now });
  await postBill(tx, {
    ...{ billId, leaseId: null, amounts: document, last: false, now },
    ...{ clientPartyId: client.id, lenderPartyId: lender.id },
    terms: { feeMicros: BigInt(document.feeMicros) },
  });
  await queueDeliveries(tx, { billId, customerPartyId: client.id, now });
  const [corrected] = document.corrected ?? [];
  if (corrected === undefined) return;
  const { chainId, seq } = corrected;
  const message = `record ${seq} of ${chainId} states numbers that do not follow; what follows is billed`;
  const detail = { code: "record-corrected", chainId, seq, message };
  await insertHostEventOnce(tx, { hostId: document.host.id, kind: "usage-refused", detail, now });
}
