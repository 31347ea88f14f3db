import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import { type BillId, type DeliveryId, newId, type PartyId } from "../../unit/id.ts";
import {
  type Attempt,
  cutReply,
  type Delivery,
  type DeliveryState,
  type Outcome,
  type TargetKind,
} from "./delivery.ts";
import { TARGET_COLUMNS, TARGET_PARTIES, type TargetRow, toTarget } from "./target-store.ts";

/** Longer than any attempt takes: only a server that died lets a claim run out. */
const CLAIM_SECONDS = 180;
/** So that a party whose receivers hang leaves room for all others. */
const AT_ONCE_MAX_PER_PARTY = 2;

/**
 * Queues a bill that has just been closed for everywhere where its customer wants its bills. In the
 * bill's own transaction: there is no bill without its deliveries. For a target that is off it
 * fails at once, to be seen and repeated.
 */
export async function queueDeliveries(
  tx: Kysely<DB>,
  bill: { readonly billId: BillId; readonly customerPartyId: PartyId; readonly now: Date },
): Promise<number> {
  const { billId, customerPartyId, now } = bill;
  const { rows } = await sql<{ targetId: string; why: string | null }>`
    select t.target_id, t.disabled_reason as why from delivery_target t
    join bill b on b.bill_id = ${billId}
    where t.party_id = ${customerPartyId} and t.removed_at is null
      and (t.seller_party_id is null or t.seller_party_id = b.lender_party_id)
    order by t.target_id for share of t`.execute(tx);
  if (rows.length === 0) return 0;
  await tx
    .insertInto("delivery")
    .values(
      rows.map(({ targetId, why }) => ({
        deliveryId: newId("delivery", now.getTime()),
        billId,
        targetId,
        state: why === null ? "queued" : "failed",
        queuedAt: now,
        dueAt: now,
        settledAt: why === null ? null : now,
        failure: why,
      })),
    )
    .onConflict((conflict) => conflict.constraint("delivery_one").doNothing())
    .execute();
  return rows.length;
}

type DeliveryRow = TargetRow & {
  readonly deliveryId: DeliveryId;
  readonly billId: BillId;
  readonly state: DeliveryState;
  readonly queuedAt: Date;
  readonly dueAt: Date;
  readonly settledAt: Date | null;
  readonly attempts: number;
  readonly attemptsBefore: number;
  readonly failure: string | null;
};

const DELIVERY_COLUMNS = sql`d.delivery_id, d.bill_id, d.state, d.queued_at, d.due_at,
  d.settled_at, d.attempts, d.attempts_before, d.failure, ${TARGET_COLUMNS}`;
const DELIVERY_TABLES = sql`delivery d join delivery_target t using (target_id) ${TARGET_PARTIES}`;

function toDelivery(row: DeliveryRow): Delivery {
  return {
    deliveryId: row.deliveryId,
    billId: row.billId,
    target: toTarget(row),
    state: row.state,
    queuedAt: row.queuedAt,
    dueAt: row.dueAt,
    settledAt: row.settledAt,
    attempts: row.attempts,
    failure: row.failure,
  };
}

/** A delivery that is this server's to send until its claim runs out. */
export interface Claimed {
  readonly delivery: Delivery;
  /** The number of this attempt of all; of those since it was last queued the `attemptOfRound`th. */
  readonly attempt: number;
  readonly attemptOfRound: number;
}

/**
 * The one that has waited longest, no other server's, of a party that has not enough going on.
 * Claims take turns over all servers: of two at once neither would count the other.
 */
export async function claimDelivery(tx: Kysely<DB>, now: Date): Promise<Claimed | null> {
  const until = new Date(now.getTime() + CLAIM_SECONDS * 1000);
  await sql`select pg_advisory_xact_lock(hashtext('sublet: claim a delivery'))`.execute(tx);
  const { rows } = await sql<DeliveryRow>`
    with due as (
      select d.delivery_id from delivery d join delivery_target t using (target_id)
      where d.state = 'queued' and d.due_at <= ${now}
        and (d.claimed_until is null or d.claimed_until <= ${now})
        and (select count(*) from delivery o join delivery_target x using (target_id)
          where o.state = 'queued' and o.claimed_until > ${now}
            and x.party_id = t.party_id) < ${AT_ONCE_MAX_PER_PARTY}
      order by d.due_at, d.delivery_id limit 1 for update of d skip locked),
    claimed as (
      update delivery set claimed_until = ${until}, attempts = attempts + 1
      from due where delivery.delivery_id = due.delivery_id returning delivery.*)
    select ${DELIVERY_COLUMNS}
    from claimed d join delivery_target t using (target_id) ${TARGET_PARTIES}`.execute(tx);
  const [row] = rows;
  if (!row) return null;
  const attemptOfRound = row.attempts - row.attemptsBefore;
  return { delivery: toDelivery(row), attempt: row.attempts, attemptOfRound };
}

/** What came of it: done, failed for good with its reason, or due again. */
export type Settlement =
  | { readonly state: "delivered" }
  | { readonly state: "failed"; readonly failure: string }
  | { readonly state: "queued"; readonly dueAt: Date };

/** The attempt is recorded in any case; the delivery itself by whoever has it still. */
export async function recordAttempt(
  tx: Kysely<DB>,
  { delivery, attempt }: Claimed,
  { outcome, settlement, now }: { outcome: Outcome; settlement: Settlement; now: Date },
): Promise<void> {
  const { deliveryId } = delivery;
  await tx
    .insertInto("deliveryAttempt")
    .values({
      ...{ deliveryId, number: attempt, at: now, outcome: outcome.outcome },
      ...{ status: outcome.status, reply: cutReply(outcome.reply) },
    })
    .execute();
  const isQueued = settlement.state === "queued";
  await tx
    .updateTable("delivery")
    .set({
      state: settlement.state,
      settledAt: isQueued ? null : now,
      failure: settlement.state === "failed" ? cutReply(settlement.failure) : null,
      claimedUntil: null,
      ...(isQueued ? { dueAt: settlement.dueAt } : {}),
    })
    .where("deliveryId", "=", deliveryId)
    .where("attempts", "=", attempt)
    .where("state", "=", "queued")
    .execute();
}

/** By hand: due at once, with as many attempts as at the first time. */
export async function requeueDelivery(
  tx: Kysely<DB>,
  deliveryId: DeliveryId,
  now: Date,
): Promise<void> {
  await sql`
    update delivery set state = 'queued', due_at = ${now}, settled_at = null, failure = null,
      attempts_before = attempts
    where delivery_id = ${deliveryId}`.execute(tx);
}

/** Newest first: of its own bills and by targets that it set; of everybody for null. */
export async function listDeliveries(
  db: Kysely<DB>,
  which: {
    readonly partyId: PartyId | null;
    readonly deliveryId?: DeliveryId;
    readonly billId?: BillId | undefined;
    readonly state?: DeliveryState | undefined;
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
): Promise<Delivery[]> {
  const { partyId, deliveryId = null, billId = null, state = null, cursor = null } = which;
  const { rows } = await sql<DeliveryRow>`
    select ${DELIVERY_COLUMNS} from ${DELIVERY_TABLES}
    where (${partyId}::text is null or t.party_id = ${partyId} or t.seller_party_id = ${partyId})
      and (${deliveryId}::text is null or d.delivery_id = ${deliveryId})
      and (${billId}::text is null or d.bill_id = ${billId})
      and (${state}::text is null or d.state = ${state})
      and (${cursor}::text is null or d.delivery_id < ${cursor})
    order by d.delivery_id desc limit ${which.limit}`.execute(db);
  return rows.map(toDelivery);
}

/** The newest first. */
export async function listAttempts(
  db: Kysely<DB>,
  deliveryId: DeliveryId,
  limit: number,
): Promise<Attempt[]> {
  const rows = await db
    .selectFrom("deliveryAttempt")
    .select(["number", "at", "outcome", "status", "reply"])
    .where("deliveryId", "=", deliveryId)
    .orderBy("number", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, outcome: row.outcome as Attempt["outcome"] }));
}

/** What waits and what has failed, by kind. */
export async function countDeliveries(
  db: Kysely<DB>,
): Promise<readonly { kind: TargetKind; state: DeliveryState; count: number }[]> {
  const { rows } = await sql<{ kind: TargetKind; state: DeliveryState; count: number }>`
    select t.kind, d.state, count(*)::int as count
    from delivery d join delivery_target t using (target_id)
    where d.state = 'queued' or d.state = 'failed'
    group by t.kind, d.state`.execute(db);
  return rows;
}
