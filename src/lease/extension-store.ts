import { type Kysely, sql } from "kysely";
import { z } from "zod";
import type { DB } from "../database/types.ts";
import { type Quote, quoteSchema } from "../market/quote.ts";
import type { ExtensionId, LeaseId } from "../unit/id.ts";
import { idSchema, naturalText } from "../unit/schema.ts";

/**
 * A longer lease.
 *
 *   pending ──── the host's signed word that it took the code ────▶ in-force
 *     │                                                               ▲
 *     │ the lease ends, or its host refuses it or has not taken it    │ the host proves that it had
 *     ▼                                                               │ taken it, and calendar and
 *   lapsed ───────────────────────────────────────────────────────────┘ funds still allow it
 *
 * Until it is in force nothing of it is charged and the lease's period is what it was; what it would
 * need is reserved and held. Of a lease that was not granted yet it is in force at once.
 */
export const EXTENSION_STATES = ["pending", "in-force", "lapsed"] as const;
export type ExtensionState = (typeof EXTENSION_STATES)[number];

export interface Extension {
  readonly extensionId: ExtensionId;
  /** Of what the client asked for. */
  readonly requestSha256: string;
  readonly state: ExtensionState;
  /** Of its code among the lease's grants; null when the first grant says it all. */
  readonly sequence: number | null;
  readonly grantJws: string | null;
  readonly endsBefore: Date;
  readonly endsAt: Date;
  /** Of the whole lease, once this is in force. */
  readonly quote: Quote;
  /** What it adds to the hold. */
  readonly additionalMicros: bigint;
  /** Why it lapsed. */
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly settledAt: Date | null;
}

export async function insertExtension(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  extension: Extension,
): Promise<void> {
  const { quote, ...columns } = extension;
  await tx
    .insertInto("leaseExtension")
    .values({ leaseId, ...columns, quote: JSON.stringify(quote) })
    .execute();
}

export async function updateExtension(
  tx: Kysely<DB>,
  extensionId: ExtensionId,
  change: {
    state: Exclude<ExtensionState, "pending">;
    reason: string | null;
    acknowledgementJws?: string;
    settledAt: Date;
  },
): Promise<void> {
  await tx
    .updateTable("leaseExtension")
    .set(change)
    .where("extensionId", "=", extensionId)
    .execute();
}

/**
 * Leases whose extension is pending although their old end is `graceSeconds` past and their host was
 * heard since: a host that took it would have said so. A host that is silent may have taken it, and
 * what is reserved on it nobody else could use meanwhile.
 */
export async function listUnacknowledged(
  db: Kysely<DB>,
  graceSeconds: number,
  now: Date,
): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select x.lease_id from lease_extension x join lease l using (lease_id)
    join host h using (host_id)
    where x.state = 'pending'
      and least(h.seen_at, ${now}) >= x.ends_before + make_interval(secs => ${graceSeconds})
    order by x.lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
}

/** As a column of a query that has the lease as `l`. */
export const EXTENSIONS_OF_LEASE = sql`(
  select coalesce(jsonb_agg(jsonb_build_object(
    'extensionId', x.extension_id, 'requestSha256', x.request_sha256, 'state', x.state,
    'sequence', x.sequence, 'grantJws', x.grant_jws, 'endsBefore', x.ends_before,
    'endsAt', x.ends_at, 'quote', x.quote, 'additionalMicros', x.additional_micros::text,
    'reason', x.reason, 'createdAt', x.created_at, 'settledAt', x.settled_at)
    order by x.created_at, x.extension_id), '[]')
  from lease_extension x where x.lease_id = l.lease_id)`;

const instant = z.string().transform((text) => new Date(text));
const rowsSchema = z.array(
  z.object({
    extensionId: idSchema("extension"),
    requestSha256: z.string(),
    state: z.enum(EXTENSION_STATES),
    sequence: z.number().int().nullable(),
    grantJws: z.string().nullable(),
    endsBefore: instant,
    endsAt: instant,
    quote: quoteSchema,
    additionalMicros: naturalText.transform(BigInt),
    reason: z.string().nullable(),
    createdAt: instant,
    settledAt: instant.nullable(),
  }),
);

export function parseExtensions(column: unknown): readonly Extension[] {
  return rowsSchema.parse(column);
}
