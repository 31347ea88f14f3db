import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { type Report, reportSchema } from "../../api/contract/agent.ts";
import { type Grant, grantSchema } from "../../enablement/grant.ts";
import { type OwnGrant, ownGrantSchema } from "../../enablement/own-grant.ts";
import { type PowerState, powerStateSchema } from "../../enablement/power.ts";
import { pruneChain } from "../../meter/spool-batch.ts";
import { LEASE_STAGES, type LeaseStage } from "../../partition/step.ts";
import type { LeaseId, PartitionId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";

/** An extension that the server told of, and what this host made of it. */
export interface ToldExtension {
  readonly jws: string;
  readonly verdict: "new" | "taken" | "refused";
  /** What was reported of it; told again to a server that has forgotten. */
  readonly report: Report | null;
}

/** `own`: a guest of the host's owner, by a grant of the agent's own, without a lease. */
export type GuestOrigin = "lease" | "own";

/** A lease, or an own guest, as this host knows it. */
export interface LeaseRow {
  readonly leaseId: LeaseId;
  readonly origin: GuestOrigin;
  readonly partitionId: PartitionId;
  readonly stage: LeaseStage;
  readonly receivedAt: string;
  readonly grantJws: string | null;
  /** Null until this host has verified the grant. */
  readonly granted: Grant | OwnGrant | null;
  /** Of the last grant that was taken: 1, or that of an extension. */
  readonly sequence: number;
  readonly extensions: readonly ToldExtension[];
  /** As it was first told; null until then. */
  readonly readyReport: Report | null;
  readonly endJws: string | null;
  readonly endReason: string | null;
  /** In words, when it failed. */
  readonly failure: string | null;
  readonly endsAt: string | null;
  /** On the monotonic clock of the boot `endsBootId`. */
  readonly endsAtNs: bigint | null;
  readonly endsBootId: string | null;
  /** What the deadline was reckoned from. */
  readonly endsBy: "anchor" | "wall" | null;
  readonly cores: readonly number[];
  readonly uid: number | null;
  readonly port: number | null;
  readonly hostKeyPrivate: string | null;
  readonly hostKeyPublic: string | null;
  readonly bootedAtNs: bigint | null;
  /** Of the last reading: the guest's process, and its counter. */
  readonly processId: string | null;
  readonly cpuNs: bigint;
  readonly isDelivered: boolean;
  readonly silentReadings: number;
  /** Of the present stage's effect, in a row. */
  readonly failures: number;
  readonly retryAtNs: bigint | null;
  /** The client's last wish for its guest's power, and up to which number they were done. */
  readonly powerState: PowerState;
  readonly powerGeneration: number;
  readonly powerDoneGeneration: number;
  /** Of a wish that is under way: the guest was stopped for it. */
  readonly isPowerCut: boolean;
  /** What was reported of the client's run. */
  readonly runTold: "nothing" | "started" | "exited";
  /** What it left behind is out of this host, or is not to be had. */
  readonly isCollected: boolean;
  readonly reportCount: number;
  readonly receiptJws: string | null;
}

export type LeaseChange = Partial<
  Omit<LeaseRow, "leaseId" | "origin" | "partitionId" | "reportCount">
>;

export function insertLease(
  db: DatabaseSync,
  lease: Pick<LeaseRow, "leaseId" | "partitionId" | "receivedAt" | "grantJws">,
  origin: GuestOrigin = "lease",
): void {
  db.prepare(
    `INSERT INTO lease (lease_id, partition_id, stage, received_at, grant_jws, origin)
     VALUES (?, ?, 'received', ?, ?, ?)`,
  ).run(lease.leaseId, lease.partitionId, lease.receivedAt, lease.grantJws, origin);
}

export function readLease(db: DatabaseSync, leaseId: string): LeaseRow | null {
  const row = db.prepare("SELECT * FROM lease WHERE lease_id = ?").get(leaseId);
  return row === undefined ? null : parseRow(row);
}

/** All but tombstones, oldest first. */
export function listLeases(db: DatabaseSync): readonly LeaseRow[] {
  return db
    .prepare("SELECT * FROM lease WHERE stage <> 'done' ORDER BY received_at, lease_id")
    .all()
    .map(parseRow);
}

/** Writes what is named and leaves the rest. A new stage starts with no failures. */
export function changeLease(db: DatabaseSync, leaseId: LeaseId, change: LeaseChange): void {
  const whole: LeaseChange =
    change.stage === undefined ? change : { failures: 0, retryAtNs: null, ...change };
  const names = Object.keys(whole) as (keyof LeaseChange)[];
  const sets = names.map((name) => `${columnOf(name)} = ?`).join(", ");
  const values = names.map((name) => toSql(whole[name]));
  db.prepare(`UPDATE lease SET ${sets} WHERE lease_id = ?`).run(...values, leaseId);
}

/** Tombstones of leases whose period was over before `instant` are of no further use. */
export function forgetTombstones(db: DatabaseSync, instant: string): void {
  const old = "FROM lease WHERE stage = 'done' AND coalesce(ends_at, received_at) < ?";
  // Kept until now for a server that is set back and asks for its records again.
  for (const { lease_id } of db.prepare(`SELECT lease_id ${old}`).all(instant)) {
    pruneChain(db, String(lease_id));
  }
  db.prepare(`DELETE ${old}`).run(instant);
}

/** The lease for which the partition is frozen: from its grant's acceptance until its wipe. */
export function holderOf(db: DatabaseSync, partitionId: string): LeaseRow | null {
  const holds = (lease: LeaseRow) =>
    lease.partitionId === partitionId && lease.granted !== null && lease.stage !== "wiped";
  return listLeases(db).find(holds) ?? null;
}

/** Whoever is in the partition or on the way into it, judged or not; nobody else gets in. */
export function occupantOf(db: DatabaseSync, partitionId: string): LeaseRow | null {
  const isIn = (lease: LeaseRow) => lease.partitionId === partitionId && lease.stage !== "wiped";
  return listLeases(db).find(isIn) ?? null;
}

function columnOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function toSql(value: LeaseChange[keyof LeaseChange]): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" ? JSON.stringify(value) : value;
}

const toldSchema = z.array(
  z.object({
    jws: z.string(),
    verdict: z.enum(["new", "taken", "refused"]),
    report: reportSchema.nullable(),
  }),
);
const nsText = z.string().transform(BigInt);
const rowSchema = z.object({
  lease_id: idSchema("lease"),
  partition_id: idSchema("partition"),
  stage: z.enum(LEASE_STAGES),
  received_at: z.string(),
  grant_jws: z.string().nullable(),
  origin: z.enum(["lease", "own"]),
  granted: z.string().nullable(),
  failure: z.string().nullable(),
  sequence: z.number(),
  extensions: z.string().transform((text) => toldSchema.parse(JSON.parse(text))),
  ready_report: z
    .string()
    .transform((text) => reportSchema.parse(JSON.parse(text)))
    .nullable(),
  end_jws: z.string().nullable(),
  end_reason: z.string().nullable(),
  ends_at: z.string().nullable(),
  ends_at_ns: nsText.nullable(),
  ends_boot_id: z.string().nullable(),
  ends_by: z.enum(["anchor", "wall"]).nullable(),
  cores: z
    .string()
    .transform((text) => z.array(z.number()).parse(JSON.parse(text)))
    .nullable(),
  uid: z.number().nullable(),
  port: z.number().nullable(),
  host_key_private: z.string().nullable(),
  host_key_public: z.string().nullable(),
  booted_at_ns: nsText.nullable(),
  process_id: z.string().nullable(),
  cpu_ns: nsText,
  is_delivered: z.number(),
  silent_readings: z.number(),
  failures: z.number(),
  retry_at_ns: nsText.nullable(),
  power_state: powerStateSchema,
  power_generation: z.number(),
  power_done_generation: z.number(),
  is_power_cut: z.number(),
  run_told: z.enum(["nothing", "started", "exited"]),
  is_collected: z.number(),
  report_count: z.number(),
  receipt_jws: z.string().nullable(),
});

const GRANTED = { lease: grantSchema, own: ownGrantSchema } as const;

function parseRow(found: unknown): LeaseRow {
  const row = rowSchema.parse(found);
  return {
    leaseId: row.lease_id,
    partitionId: row.partition_id,
    stage: row.stage,
    receivedAt: row.received_at,
    grantJws: row.grant_jws,
    origin: row.origin,
    granted: row.granted === null ? null : GRANTED[row.origin].parse(JSON.parse(row.granted)),
    sequence: row.sequence,
    extensions: row.extensions,
    readyReport: row.ready_report,
    endJws: row.end_jws,
    endReason: row.end_reason,
    failure: row.failure,
    endsAt: row.ends_at,
    endsAtNs: row.ends_at_ns,
    endsBootId: row.ends_boot_id,
    endsBy: row.ends_by,
    cores: row.cores ?? [],
    uid: row.uid,
    port: row.port,
    hostKeyPrivate: row.host_key_private,
    hostKeyPublic: row.host_key_public,
    bootedAtNs: row.booted_at_ns,
    processId: row.process_id,
    cpuNs: row.cpu_ns,
    isDelivered: row.is_delivered === 1,
    silentReadings: row.silent_readings,
    failures: row.failures,
    retryAtNs: row.retry_at_ns,
    powerState: row.power_state,
    powerGeneration: row.power_generation,
    powerDoneGeneration: row.power_done_generation,
    isPowerCut: row.is_power_cut === 1,
    runTold: row.run_told,
    isCollected: row.is_collected === 1,
    reportCount: row.report_count,
    receiptJws: row.receipt_jws,
  };
}
