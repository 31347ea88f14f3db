import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { CodeId, ServiceId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";

/** What of a code is kept for a service of a lease: milliCore- or byte-nanoseconds. */
export interface Reserved {
  readonly codeId: CodeId;
  readonly quantity: bigint;
}

export interface ReservationRow extends Reserved {
  readonly serviceId: ServiceId;
}

export function listReservations(db: DatabaseSync): readonly ReservationRow[] {
  return db
    .prepare("SELECT * FROM capacity_reservation ORDER BY service_id, code_id")
    .all()
    .map((row) => {
      const { service_id: serviceId, code_id: codeId, quantity } = rowSchema.parse({ ...row });
      return { serviceId, codeId, quantity };
    });
}

/** Adds to what the service has reserved. */
export function insertReserved(
  db: DatabaseSync,
  serviceId: ServiceId,
  parts: readonly Reserved[],
): void {
  for (const { codeId, quantity } of parts) {
    writeReserved(db, serviceId, codeId, reservedBy(db, serviceId, codeId) + quantity);
  }
}

/** What the service has used is reserved no more. */
export function drawReserved(
  db: DatabaseSync,
  serviceId: ServiceId,
  parts: readonly Reserved[],
): void {
  const mine = new Set(reservedFor(db, serviceId).map(({ codeId }) => codeId));
  for (const { codeId, quantity } of parts) {
    if (!mine.has(codeId)) continue;
    const rest = reservedBy(db, serviceId, codeId) - quantity;
    writeReserved(db, serviceId, codeId, rest > 0n ? rest : 0n);
  }
}

/** Codes on which a service has a reservation, also one that is used up. */
export function reservedFor(db: DatabaseSync, serviceId: ServiceId): readonly ReservationRow[] {
  return listReservations(db).filter((row) => row.serviceId === serviceId);
}

export function deleteReserved(db: DatabaseSync, serviceId: ServiceId): void {
  db.prepare("DELETE FROM capacity_reservation WHERE service_id = ?").run(serviceId);
}

function reservedBy(db: DatabaseSync, serviceId: ServiceId, codeId: CodeId): bigint {
  const found = reservedFor(db, serviceId).find((row) => row.codeId === codeId);
  return found?.quantity ?? 0n;
}

function writeReserved(
  db: DatabaseSync,
  serviceId: ServiceId,
  codeId: CodeId,
  quantity: bigint,
): void {
  db.prepare(
    `INSERT OR REPLACE INTO capacity_reservation (service_id, code_id, quantity) VALUES (?, ?, ?)`,
  ).run(serviceId, codeId, `${quantity}`);
}

const rowSchema = z.object({
  service_id: idSchema("service"),
  code_id: idSchema("code"),
  quantity: z.string().transform(BigInt),
});
