import type { Kysely } from "kysely";
import { lockParty, raiseHold } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { type Issuer, issueExtension } from "../../enablement/issue.ts";
import { checkCalendar, planExtension, writeExtension } from "../../lease/extend.ts";
import { getLeaseOfParty, type Lease, lockLease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { ExtensionId, LeaseId, PartyId } from "../../unit/id.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import type { Body } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

/**
 * One transaction: the calendar is asked, the time reserved, the hold raised, the code signed.
 * Locks in the order in which everybody takes them: lease, party, host.
 */
export const extendLease: Handler<"extendLease"> = async (context, { caller, params, body }) => {
  const now = context.clock.now();
  const issuer = { serverId: context.serverId, key: context.keys.current };
  const lease = await transaction(context.db, async (tx) => {
    const current = await lockLeaseOfClient(tx, caller.partyId, params.leaseId);
    await extend(tx, issuer, current, { ...params, ...body, now });
    return getLeaseOfParty(tx, caller.partyId, params.leaseId);
  });
  return viewLease(lease, caller.partyId);
};

/** What it would come to, and whether it can be had at this instant; nothing is kept of it. */
export const quoteExtension: Handler<"quoteExtension"> = async (context, { caller, ...input }) => {
  const now = context.clock.now();
  const { leaseId } = input.params;
  const plan = await transaction(context.db, async (tx) => {
    const lease = await lockLeaseOfClient(tx, caller.partyId, leaseId);
    const planned = planExtension(lease, input.body.seconds, now);
    await checkCalendar(tx, lease, planned);
    return planned;
  });
  return {
    leaseId,
    end: plan.endsAt.toISOString(),
    quote: plan.quote,
    additionalMicros: plan.additionalMicros.toString(),
  };
};

async function lockLeaseOfClient(
  tx: Kysely<DB>,
  partyId: PartyId,
  leaseId: LeaseId,
): Promise<Lease> {
  const lease = await lockLease(tx, leaseId);
  if (lease.clientPartyId !== partyId) throw refusal("not-found", { what: "lease", id: leaseId });
  return lease;
}

async function extend(
  tx: Kysely<DB>,
  issuer: Issuer,
  lease: Lease,
  asked: Body<"extendLease"> & { readonly extensionId: ExtensionId; readonly now: Date },
): Promise<void> {
  const { extensionId, seconds, maxAdditionalMicros, now } = asked;
  const { leaseId, grantJws } = lease;
  const requestSha256 = sha256Hex(canonicalJson({ seconds, maxAdditionalMicros }));
  const existing = lease.extensions.find((one) => one.extensionId === extensionId);
  if (existing) {
    if (existing.requestSha256 === requestSha256) return;
    throw refusal("extension-id-reused", { extensionId });
  }
  const plan = planExtension(lease, seconds, now);
  checkLimit(plan.additionalMicros, maxAdditionalMicros);
  await lockParty(tx, lease.clientPartyId);
  await checkCalendar(tx, lease, plan);
  const sequence = 1 + Math.max(1, ...lease.extensions.map((one) => one.sequence ?? 1));
  const { endsAt } = plan;
  const code = grantJws
    ? { sequence, grantJws: issueExtension(issuer, { grantJws, sequence, endsAt, now }) }
    : { sequence: null, grantJws: null };
  await raiseHold(tx, {
    ...{ leaseId, partyId: lease.clientPartyId, byMicros: plan.additionalMicros },
  });
  await writeExtension(tx, lease, plan, { extensionId, requestSha256, ...code }, now);
}

function checkLimit(additionalMicros: bigint, maxAdditionalMicros: string | undefined): void {
  if (maxAdditionalMicros === undefined || additionalMicros <= BigInt(maxAdditionalMicros)) return;
  throw refusal("cost-above-limit", {
    cost: formatMoneyMicros(additionalMicros),
    limit: formatMoneyMicros(BigInt(maxAdditionalMicros)),
  });
}
