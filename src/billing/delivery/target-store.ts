import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import { newId, type PartyId, type TargetId } from "../../unit/id.ts";
import type { DeliveryTarget, TargetKind } from "./delivery.ts";

export interface TargetRow {
  readonly targetId: TargetId;
  readonly partyId: PartyId;
  readonly partyName: string;
  readonly sellerPartyId: PartyId | null;
  readonly sellerName: string | null;
  readonly kind: TargetKind;
  readonly address: string;
  readonly targetCreatedAt: Date;
  readonly disabledAt: Date | null;
  readonly disabledReason: string | null;
}

/** Of `t`, with the names of its parties: `p` and `s`. The secrets are never among them. */
export const TARGET_COLUMNS = sql`t.target_id, t.party_id, p.name as party_name,
  t.seller_party_id, s.name as seller_name, t.kind, t.address,
  t.created_at as target_created_at, t.disabled_at, t.disabled_reason`;
export const TARGET_PARTIES = sql`join party p on p.party_id = t.party_id
  left join party s on s.party_id = t.seller_party_id`;

export function toTarget(row: TargetRow): DeliveryTarget {
  return {
    targetId: row.targetId,
    party: { id: row.partyId, name: row.partyName },
    seller:
      row.sellerPartyId === null ? null : { id: row.sellerPartyId, name: row.sellerName ?? "" },
    kind: row.kind,
    address: row.address,
    createdAt: row.targetCreatedAt,
    disabledAt: row.disabledAt,
    disabledReason: row.disabledReason,
  };
}

/** Those by which a party's bills go, and those that it set for its customers; null: all. */
export async function listTargets(
  db: Kysely<DB>,
  { partyId, targetId }: { readonly partyId: PartyId | null; readonly targetId?: TargetId },
): Promise<DeliveryTarget[]> {
  const { rows } = await sql<TargetRow>`
    select ${TARGET_COLUMNS} from delivery_target t ${TARGET_PARTIES}
    where t.removed_at is null
      and (${partyId}::text is null or t.party_id = ${partyId} or t.seller_party_id = ${partyId})
      and (${targetId ?? null}::text is null or t.target_id = ${targetId ?? null})
    order by t.target_id`.execute(db);
  return rows.map(toTarget);
}

export interface NewTarget {
  readonly partyId: PartyId;
  readonly sellerPartyId: PartyId | null;
  readonly kind: TargetKind;
  readonly address: string;
  /** Of a webhook. */
  readonly secret: Buffer | null;
  readonly setBy: PartyId;
  readonly now: Date;
}

/** The one that is there already, also when it was taken away before. Under the party's lock. */
export async function findTarget(
  tx: Kysely<DB>,
  target: Pick<NewTarget, "partyId" | "sellerPartyId" | "kind" | "address">,
): Promise<{ readonly targetId: TargetId; readonly isRemoved: boolean } | null> {
  const row = await tx
    .selectFrom("deliveryTarget")
    .select(["targetId", "removedAt"])
    .where("partyId", "=", target.partyId)
    .where(sql<boolean>`seller_party_id is not distinct from ${target.sellerPartyId}`)
    .where("kind", "=", target.kind)
    .where("address", "=", target.address)
    .executeTakeFirst();
  return row ? { targetId: row.targetId as TargetId, isRemoved: row.removedAt !== null } : null;
}

/** How many a party has, or has been given by this seller. Under the party's lock. */
export async function countTargets(
  tx: Kysely<DB>,
  { partyId, sellerPartyId }: Pick<NewTarget, "partyId" | "sellerPartyId">,
): Promise<number> {
  const row = await tx
    .selectFrom("deliveryTarget")
    .select((select) => select.fn.countAll<bigint>().as("count"))
    .where("partyId", "=", partyId)
    .where(sql<boolean>`seller_party_id is not distinct from ${sellerPartyId}`)
    .where("removedAt", "is", null)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

export async function insertTarget(tx: Kysely<DB>, target: NewTarget): Promise<TargetId> {
  const { setBy, now, ...columns } = target;
  const targetId = newId("target", now.getTime());
  await tx
    .insertInto("deliveryTarget")
    .values({ targetId, ...columns, setByPartyId: setBy, createdAt: now })
    .execute();
  return targetId;
}

/** It is sent to again; one that was taken away comes back with another secret. */
export async function enableTarget(
  tx: Kysely<DB>,
  targetId: TargetId,
  secret: Buffer | null,
): Promise<void> {
  await tx
    .updateTable("deliveryTarget")
    .set({
      ...{ disabledAt: null, disabledReason: null, removedAt: null },
      ...(secret ? { secret, previousSecret: null, previousSecretUntil: null } : {}),
    })
    .where("targetId", "=", targetId)
    .execute();
}

/** The one before goes on signing beside it until `previousUntil`. */
export async function renewSecret(
  tx: Kysely<DB>,
  targetId: TargetId,
  { secret, previousUntil }: { readonly secret: Buffer; readonly previousUntil: Date },
): Promise<void> {
  await sql`
    update delivery_target set previous_secret = secret, previous_secret_until = ${previousUntil},
      secret = ${secret}
    where target_id = ${targetId} and kind = 'webhook'`.execute(tx);
}

/** What signs now: the present secret first. Empty for mail. */
export async function readSecrets(
  db: Kysely<DB>,
  targetId: TargetId,
  now: Date,
): Promise<readonly Buffer[]> {
  const row = await db
    .selectFrom("deliveryTarget")
    .select(["secret", "previousSecret", "previousSecretUntil"])
    .where("targetId", "=", targetId)
    .executeTakeFirst();
  const previous = row?.previousSecretUntil && row.previousSecretUntil > now;
  return [row?.secret, previous ? row.previousSecret : null].filter((one) => one != null);
}

/** Off by its receiver's word (410) or by a person's; what was queued for it fails with that. */
export async function closeTarget(
  tx: Kysely<DB>,
  targetId: TargetId,
  { why, removed, now }: { readonly why: string; readonly removed: boolean; readonly now: Date },
): Promise<void> {
  await sql`
    update delivery_target set
      removed_at = case when ${removed} then coalesce(removed_at, ${now}) else removed_at end,
      disabled_at = coalesce(disabled_at, ${now}),
      disabled_reason = coalesce(disabled_reason, ${why})
    where target_id = ${targetId}`.execute(tx);
  await sql`
    update delivery set state = 'failed', failure = ${why}, settled_at = ${now},
      claimed_until = null
    where target_id = ${targetId} and state = 'queued'`.execute(tx);
}
