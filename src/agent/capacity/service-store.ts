import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import {
  type CapacityResource,
  capacityResourceSchema,
} from "../../enablement/capacity/resource.ts";
import { type ReturnMeans, returnMeansSchema } from "../../enablement/capacity/terms.ts";
import { SERVICE_STATES, type ServiceState } from "../../partition/service-step.ts";
import type { CodeId, LeaseId, PartitionId, PartyId, ServiceId } from "../../unit/id.ts";
import { type CpuMode, cpuModeSchema, idSchema } from "../../unit/schema.ts";

/** Enabled capacity in service on this host. */
export interface ServiceRow {
  readonly serviceId: ServiceId;
  readonly providerId: PartyId;
  /** The code that it began with: its terms count, and its hash is the origin of the chains. */
  readonly codeId: CodeId;
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  /** milliCores or bytes. */
  readonly quantity: number;
  /** Of dedicated capacity. */
  readonly partition: { readonly id: PartitionId; readonly name: string } | null;
  readonly leaseId: LeaseId | null;
  /** By a code that is lent: every life of the lease's guest boots with it. */
  readonly isLent: boolean;
  readonly cores: readonly number[];
  readonly state: ServiceState;
  readonly processId: string | null;
  readonly returnReason: string | null;
  readonly means: ReturnMeans | null;
  readonly failures: number;
  readonly retryAtNs: bigint | null;
  readonly wantedAt: string;
}

export type ServiceChange = Partial<
  Pick<
    ServiceRow,
    "state" | "processId" | "returnReason" | "means" | "failures" | "retryAtNs" | "cores"
  >
>;

export function insertService(db: DatabaseSync, row: ServiceRow): void {
  db.prepare(
    `INSERT INTO capacity_service (service_id, provider_id, code_id, mode, resource, quantity,
       partition_id, partition_name, lease_id, is_lent, cores, state, wanted_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    ...[row.serviceId, row.providerId, row.codeId, row.mode, row.resource, row.quantity],
    ...[row.partition?.id ?? null, row.partition?.name ?? null, row.leaseId],
    ...[row.isLent ? 1 : 0, JSON.stringify(row.cores), row.state, row.wantedAt],
  );
}

/** Of what was wanted and never begun: there is no act of it. */
export function deleteService(db: DatabaseSync, serviceId: ServiceId): void {
  db.prepare("DELETE FROM capacity_service WHERE service_id = ? AND state = 'wanted'").run(
    serviceId,
  );
}

export function readService(db: DatabaseSync, serviceId: string): ServiceRow | null {
  const row = db.prepare("SELECT * FROM capacity_service WHERE service_id = ?").get(serviceId);
  return row === undefined ? null : parseRow(row);
}

/** All that are not returned, oldest first. */
export function listServices(db: DatabaseSync): readonly ServiceRow[] {
  return db
    .prepare("SELECT * FROM capacity_service WHERE state <> 'returned' ORDER BY rowid")
    .all()
    .map(parseRow);
}

export function changeService(db: DatabaseSync, serviceId: ServiceId, change: ServiceChange): void {
  const whole = change.state === undefined ? change : { failures: 0, retryAtNs: null, ...change };
  const names = Object.keys(whole) as (keyof ServiceChange)[];
  const sets = names.map((name) => `${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)} = ?`);
  const values = names.map((name) => {
    const value = whole[name] ?? null;
    if (typeof value === "bigint") return value.toString();
    return typeof value === "object" && value !== null ? JSON.stringify(value) : (value as string);
  });
  db.prepare(`UPDATE capacity_service SET ${sets.join(", ")} WHERE service_id = ?`).run(
    ...values,
    serviceId,
  );
}

/** Services of the pool that are not returned, oldest first. */
export function sharedServices(db: DatabaseSync): readonly ServiceRow[] {
  return listServices(db).filter(({ mode }) => mode === "shared");
}

/** Standby cores that are enabled for the pool now. */
export function pooledCores(db: DatabaseSync): readonly number[] {
  return sharedServices(db)
    .filter(({ state }) => IN_FORCE.has(state))
    .flatMap(({ cores }) => cores);
}

/** Standby cores that a lease's guest boots with. */
export function lentCores(db: DatabaseSync, leaseId: LeaseId): readonly number[] {
  return listServices(db)
    .filter((service) => service.leaseId === leaseId && service.isLent)
    .flatMap(({ cores }) => cores);
}

/** Services that are metered and not being taken out. */
export const IN_FORCE: ReadonlySet<ServiceState> = new Set(["in-service", "unreturned"]);

const rowSchema = z.object({
  service_id: idSchema("service"),
  provider_id: idSchema("party"),
  code_id: idSchema("code"),
  mode: cpuModeSchema,
  resource: capacityResourceSchema,
  quantity: z.number(),
  partition_id: idSchema("partition").nullable(),
  partition_name: z.string().nullable(),
  lease_id: idSchema("lease").nullable(),
  is_lent: z.number(),
  cores: z.string().transform((text) => z.array(z.number()).parse(JSON.parse(text))),
  state: z.enum(SERVICE_STATES),
  process_id: z.string().nullable(),
  return_reason: z.string().nullable(),
  means: returnMeansSchema.nullable(),
  failures: z.number(),
  retry_at_ns: z.string().transform(BigInt).nullable(),
  wanted_at: z.string(),
});

function parseRow(found: unknown): ServiceRow {
  const row = rowSchema.parse(found);
  const { partition_id: id, partition_name: name } = row;
  return {
    serviceId: row.service_id,
    providerId: row.provider_id,
    codeId: row.code_id,
    mode: row.mode,
    resource: row.resource,
    quantity: row.quantity,
    partition: id === null || name === null ? null : { id, name },
    leaseId: row.lease_id,
    isLent: row.is_lent === 1,
    cores: row.cores,
    state: row.state,
    processId: row.process_id,
    returnReason: row.return_reason,
    means: row.means,
    failures: row.failures,
    retryAtNs: row.retry_at_ns,
    wantedAt: row.wanted_at,
  };
}
