import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { getParty, insertKey, insertParty } from "../party/store.ts";

/** What the first start says of the books; what it leaves out has a default. */
export interface Books {
  readonly currency: string | undefined;
  readonly billingTimeZone: string | undefined;
}

export interface Setting {
  readonly serverId: string;
  readonly currency: string;
  readonly minorUnitDigits: number;
  readonly billingTimeZone: string;
}

const CURRENCY_DEFAULT = "EUR";
const TIME_ZONE_DEFAULT = "UTC";

/** Settled at the first start: money that is booked in one currency cannot become another. */
export async function ensureSetting(tx: Kysely<DB>, books: Books, now: Date): Promise<Setting> {
  const firstCurrency = books.currency ?? CURRENCY_DEFAULT;
  await tx
    .insertInto("setting")
    .values({
      serverId: `server-${randomUUID()}`,
      currency: firstCurrency,
      minorUnitDigits: minorUnitDigitsOf(firstCurrency),
      billingTimeZone: books.billingTimeZone ?? TIME_ZONE_DEFAULT,
      createdAt: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { serverId, currency, minorUnitDigits, billingTimeZone } = await tx
    .selectFrom("setting")
    .selectAll()
    .executeTakeFirstOrThrow();
  return { serverId, currency, minorUnitDigits, billingTimeZone };
}

/** ISO 4217's digits, as the runtime's own data has them. */
function minorUnitDigitsOf(currency: string): number {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}

const OPERATOR = "operator";

/** The operator's party and its key at the very first start; null at every later one. */
export async function ensureOperator(tx: Kysely<DB>, now: Date): Promise<string | null> {
  const operators = await tx
    .selectFrom("party")
    .select("partyId")
    .where("name", "=", OPERATOR)
    .executeTakeFirst();
  if (operators) return null;
  const { partyId } = await insertParty(tx, { name: OPERATOR, roles: [OPERATOR], now });
  return (await insertKey(tx, { partyId, label: "first", now })).key;
}

/** For an operator who lost every key and has the machine: one more key. */
export async function addOperatorKey(tx: Kysely<DB>, now: Date): Promise<string> {
  const { partyId } = await getParty(tx, OPERATOR);
  return (await insertKey(tx, { partyId, label: "made on the server's machine", now })).key;
}
