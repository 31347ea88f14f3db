import { createHash } from "node:crypto";
import { type Kysely, type Selectable, sql } from "kysely";
import { violatedConstraint } from "../database/constraint.ts";
import type { DB, Host as HostRow } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type HostId, newId, type PartyId } from "../unit/id.ts";
import type { Architecture } from "../unit/schema.ts";
import { SIZE_ZERO, type Size } from "../unit/size.ts";
import type { HostCapacity, HostFacts } from "./capacity.ts";
import type { HostSigns, Presence } from "./liveness.ts";

export interface Host extends HostSigns {
  readonly hostId: HostId;
  readonly lenderPartyId: PartyId;
  readonly name: string;
  readonly agentPublicJwk: Readonly<Record<string, string>> | null;
  readonly architecture: Architecture | null;
  readonly facts: HostFacts | null;
  readonly reserve: Size;
  readonly base: Size;
  readonly standby: Size;
  /** By its card alone: no agent of it speaks to this server. */
  readonly isRegistered: boolean;
  /** Of a registered one: when its owner, or the operator, said whose it is; codes need that. */
  readonly confirmedAt: Date | null;
  readonly desiredGeneration: bigint;
  /** No new leases since then; those that exist go on. */
  readonly drainedAt: Date | null;
  /** No lease during it; an end of null is until it is lifted. */
  readonly maintenance: Maintenance | null;
}

export interface Maintenance {
  readonly start: Date;
  readonly end: Date | null;
}

/** Makes the host, or finds one of that name which no agent has joined yet. */
export async function insertHost(
  db: Kysely<DB>,
  { lenderPartyId, name, now }: { lenderPartyId: PartyId; name: string; now: Date },
): Promise<Host> {
  await db
    .insertInto("host")
    .values({ hostId: newId("host", now.getTime()), lenderPartyId, name, createdAt: now })
    .onConflict((conflict) =>
      conflict.columns(["lenderPartyId", "name"]).where("removedAt", "is", null).doNothing(),
    )
    .execute();
  const host = await getHostOfLender(db, lenderPartyId, name);
  if (host.enrolledAt) throw refusal("name-taken", { what: "host", name });
  return host;
}

export async function insertEnrolmentToken(
  db: Kysely<DB>,
  token: { hostId: HostId; secret: string; expiresAt: Date },
): Promise<void> {
  await db
    .insertInto("enrolmentToken")
    .values({
      secretSha256: sha256(token.secret),
      hostId: token.hostId,
      expiresAt: token.expiresAt,
    })
    .execute();
}

/**
 * Uses up a token for the agent whose key has this thumbprint, and answers its host. The same agent
 * may use it again, because its crash may have lost the answer; nobody else may.
 */
export async function redeemEnrolmentToken(
  tx: Kysely<DB>,
  { secret, thumbprint, now }: { secret: string; thumbprint: string; now: Date },
): Promise<HostId> {
  const row = await tx
    .selectFrom("enrolmentToken")
    .selectAll()
    .where("secretSha256", "=", sha256(secret))
    .forUpdate()
    .executeTakeFirst();
  const usable = row && (row.usedAt ? row.usedByThumbprint === thumbprint : row.expiresAt > now);
  if (!usable) throw refusal("enrolment-token-invalid", {});
  await tx
    .updateTable("enrolmentToken")
    .set({ usedAt: row.usedAt ?? now, usedByThumbprint: thumbprint })
    .where("secretSha256", "=", sha256(secret))
    .execute();
  return row.hostId as HostId;
}

/** Refuses another agent for a host that has one: the tokens made before it joined are void. */
export async function enrolHost(
  tx: Kysely<DB>,
  host: { hostId: HostId; publicJwk: Readonly<Record<string, string>>; now: Date },
): Promise<void> {
  const current = await getHost(tx, host.hostId);
  if (current.agentPublicJwk && current.agentPublicJwk.x !== host.publicJwk.x) {
    throw refusal("enrolment-token-invalid", {});
  }
  await tx
    .updateTable("host")
    .set({
      agentPublicJwk: JSON.stringify(host.publicJwk),
      enrolledAt: current.enrolledAt ?? host.now,
      seenAt: host.now,
    })
    .where("hostId", "=", host.hostId)
    .execute();
}

/** Refuses `host-has-less` when more is reserved than would be there. */
export async function updateCapacity(
  db: Kysely<DB>,
  hostId: HostId,
  capacity: HostCapacity,
): Promise<void> {
  const { reserve, base, standby = SIZE_ZERO } = capacity;
  try {
    await db
      .updateTable("host")
      .set({
        architecture: capacity.architecture,
        facts: JSON.stringify(capacity.facts),
        reserveCpuMilli: reserve.cpuMilli,
        reserveMemoryBytes: reserve.memoryBytes,
        reserveDiskBytes: reserve.diskBytes,
        baseCpuMilli: base.cpuMilli,
        baseMemoryBytes: base.memoryBytes,
        baseDiskBytes: base.diskBytes,
        standbyCpuMilli: standby.cpuMilli,
        standbyMemoryBytes: standby.memoryBytes,
      })
      .where("hostId", "=", hostId)
      .execute();
  } catch (error) {
    if (violatedConstraint(error) !== "host_capacity") throw error;
    throw refusal("host-has-less", { host: (await getHost(db, hostId)).name });
  }
}

export async function markSeen(db: Kysely<DB>, hostId: HostId, now: Date): Promise<void> {
  await db.updateTable("host").set({ seenAt: now }).where("hostId", "=", hostId).execute();
}

/** Tells the host's agent, by way of the database, that it should read its desired state again. */
export async function bumpDesiredGeneration(db: Kysely<DB>, hostId: HostId): Promise<void> {
  await db
    .updateTable("host")
    .set({ desiredGeneration: sql`desired_generation + 1` })
    .where("hostId", "=", hostId)
    .execute();
}

/** Every agent is to look again. */
export async function bumpEveryDesiredGeneration(db: Kysely<DB>): Promise<void> {
  await db
    .updateTable("host")
    .set({ desiredGeneration: sql`desired_generation + 1` })
    .where("removedAt", "is", null)
    .execute();
}

export async function insertHostEvent(
  db: Kysely<DB>,
  event: { hostId: HostId; kind: string; detail: object; now: Date },
): Promise<void> {
  await db
    .insertInto("hostEvent")
    .values({
      hostId: event.hostId,
      at: event.now,
      kind: event.kind,
      detail: JSON.stringify(event.detail),
    })
    .execute();
}

/** The same is told once, however often it comes again: agents repeat what was refused. */
export async function insertHostEventOnce(
  db: Kysely<DB>,
  event: { hostId: HostId; kind: string; detail: object; now: Date },
): Promise<void> {
  const found = await db
    .selectFrom("hostEvent")
    .select("seq")
    .where("hostId", "=", event.hostId)
    .where("kind", "=", event.kind)
    .where(sql<boolean>`detail = ${JSON.stringify(event.detail)}::jsonb`)
    .executeTakeFirst();
  if (!found) await insertHostEvent(db, event);
}

export async function getHost(db: Kysely<DB>, hostId: HostId): Promise<Host> {
  const row = await db
    .selectFrom("host")
    .selectAll()
    .where("hostId", "=", hostId)
    .executeTakeFirst();
  if (!row) throw refusal("not-found", { what: "host", id: hostId });
  return toHost(row);
}

/** What is reserved on it over time changes only under this lock. */
export async function lockHost(tx: Kysely<DB>, hostId: HostId): Promise<Host> {
  const row = await tx
    .selectFrom("host")
    .selectAll()
    .where("hostId", "=", hostId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return toHost(row);
}

/** The most millicores that a host's base ever had. */
export async function readMostOfBase(db: Kysely<DB>, hostId: HostId): Promise<number> {
  const row = await db
    .selectFrom("host")
    .select("baseCpuMilliMost")
    .where("hostId", "=", hostId)
    .executeTakeFirstOrThrow();
  return row.baseCpuMilliMost;
}

/** By id or name, and only the lender's own. One that was removed is found by its id alone. */
export async function getHostOfLender(
  db: Kysely<DB>,
  lenderPartyId: PartyId,
  idOrName: string,
): Promise<Host> {
  const row = await db
    .selectFrom("host")
    .selectAll()
    .where("lenderPartyId", "=", lenderPartyId)
    .where(({ or, and, eb }) =>
      or([
        eb("hostId", "=", idOrName),
        and([eb("name", "=", idOrName), eb("removedAt", "is", null)]),
      ]),
    )
    .executeTakeFirst();
  if (!row) throw refusal("not-found", { what: "host", id: idOrName });
  return toHost(row);
}

export async function listHostsOfLender(db: Kysely<DB>, lenderPartyId: PartyId): Promise<Host[]> {
  const rows = await db
    .selectFrom("host")
    .selectAll()
    .where("lenderPartyId", "=", lenderPartyId)
    .where("removedAt", "is", null)
    .orderBy("name")
    .execute();
  return rows.map(toHost);
}

export async function mapHosts(
  db: Kysely<DB>,
  hostIds: readonly HostId[],
): Promise<ReadonlyMap<HostId, Host>> {
  if (hostIds.length === 0) return new Map();
  const rows = await db.selectFrom("host").selectAll().where("hostId", "in", hostIds).execute();
  return new Map(rows.map((row) => [row.hostId as HostId, toHost(row)]));
}

function toHost(row: Selectable<HostRow>): Host {
  return {
    hostId: row.hostId as HostId,
    lenderPartyId: row.lenderPartyId as PartyId,
    name: row.name,
    agentPublicJwk: row.agentPublicJwk as Record<string, string> | null,
    architecture: row.architecture as Architecture | null,
    facts: factsOf(row.facts as Partial<HostFacts> | null),
    reserve: {
      cpuMilli: row.reserveCpuMilli,
      memoryBytes: Number(row.reserveMemoryBytes),
      diskBytes: Number(row.reserveDiskBytes),
    },
    base: {
      cpuMilli: row.baseCpuMilli,
      memoryBytes: Number(row.baseMemoryBytes),
      diskBytes: Number(row.baseDiskBytes),
    },
    standby: {
      cpuMilli: row.standbyCpuMilli,
      memoryBytes: Number(row.standbyMemoryBytes),
      diskBytes: 0,
    },
    isRegistered: row.cardJws !== null,
    confirmedAt: row.confirmedAt,
    desiredGeneration: row.desiredGeneration,
    enrolledAt: row.enrolledAt,
    seenAt: row.seenAt,
    presence: row.presence as Presence,
    presenceSince: row.presenceSince,
    drainedAt: row.drainedAt,
    maintenance: row.maintenanceFrom && {
      start: row.maintenanceFrom,
      end: row.maintenanceUntil,
    },
    removedAt: row.removedAt,
  };
}

/** Agents from before shared cpu do not speak of it. */
function factsOf(facts: Partial<HostFacts> | null): HostFacts | null {
  return facts && ({ sharedCpu: false, ...facts } as HostFacts);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
