import { type Kysely, sql } from "kysely";
import { sqlPeriod } from "../database/period.ts";
import type { DB } from "../database/types.ts";
import { type StandbyPart, standbySize } from "../host/lent-code.ts";
import { getHost } from "../host/store.ts";
import { type HostId, type LeaseId, newId, type PartitionId } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import { gapsBetween, type Period } from "./period.ts";
import { basePart } from "./standby.ts";
import { yieldingTo } from "./yielding.ts";

/** Between two leases of a partition: stop, last reading and wipe take their time. */
export const TURNAROUND_SECONDS = 30;

export interface Reservation {
  readonly hostId: HostId;
  readonly partitionId: PartitionId;
  /** Null: the partition's standing reservation, in force whenever no lease's is. */
  readonly leaseId: LeaseId | null;
  readonly size: Size;
  /** What of the size is standby's: never of a standing reservation. */
  readonly standby: readonly StandbyPart[];
  readonly period: Period;
}

export async function insertReservation(
  tx: Kysely<DB>,
  reservation: Reservation,
  now: Date,
): Promise<void> {
  const { hostId, standby } = reservation;
  const reservationId = newId("reservation", now.getTime());
  const ofStandby = standbySize(standby);
  await tx
    .insertInto("reservation")
    .values({
      reservationId,
      hostId,
      partitionId: reservation.partitionId,
      leaseId: reservation.leaseId,
      cpuMilli: reservation.size.cpuMilli,
      memoryBytes: reservation.size.memoryBytes,
      diskBytes: reservation.size.diskBytes,
      standbyCpuMilli: ofStandby.cpuMilli,
      standbyMemoryBytes: ofStandby.memoryBytes,
      period: sqlPeriod(reservation.period),
    })
    .execute();
  if (standby.length === 0) return;
  await tx
    .insertInto("standbyReservation")
    .values(standby.map(({ codeId, quantity }) => ({ reservationId, hostId, codeId, quantity })))
    .execute();
}

/**
 * The lease's hold on the partition ends now, or has ended already; without any time at all it
 * never was.
 */
export async function endReservation(tx: Kysely<DB>, leaseId: LeaseId, now: Date): Promise<void> {
  await tx
    .deleteFrom("reservation")
    .where("leaseId", "=", leaseId)
    .where(sql<boolean>`lower(period) >= ${now}`)
    .execute();
  await tx
    .updateTable("reservation")
    .set({ period: sql`tstzrange(lower(period), least(upper(period), ${now}::timestamptz), '[)')` })
    .where("leaseId", "=", leaseId)
    .where(sql<boolean>`upper(period) > ${now}`)
    .execute();
}

/** The lease has the partition until then instead. */
export async function moveReservationEnd(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  end: Date,
): Promise<void> {
  await tx
    .updateTable("reservation")
    .set({ period: sql`tstzrange(lower(period), ${end}::timestamptz, '[)')` })
    .where("leaseId", "=", leaseId)
    .execute();
}

/** Of the past: the partition was the lease's after all, where it was taken for free. */
export async function dropOverlappedStanding(tx: Kysely<DB>, leaseId: LeaseId): Promise<void> {
  await sql`
    delete from reservation standing using reservation own
    where own.lease_id = ${leaseId} and standing.partition_id = own.partition_id
      and standing.lease_id is null and standing.period && own.period`.execute(tx);
}

export function afterTurnaround(end: Date): Date {
  return new Date(end.getTime() + TURNAROUND_SECONDS * 1000);
}

/**
 * A lease that is not wiped in time goes on holding what it has, until `until` or the next lease's
 * reservation: nobody is promised what its guest still uses. What stood in between is taken back.
 */
export async function prolongReservation(
  tx: Kysely<DB>,
  lease: { leaseId: LeaseId; partitionId: PartitionId },
  until: Date,
): Promise<void> {
  await sql`
    with held as (
      select upper(period) as held_until from reservation where lease_id = ${lease.leaseId}
    ), limits as (
      select least(${until}::timestamptz, min(lower(r.period))) as until
      from held left join reservation r on r.partition_id = ${lease.partitionId}
        and r.lease_id is not null and lower(r.period) >= held_until
    )
    update reservation set period = tstzrange(lower(period), limits.until, '[)')
    from limits where lease_id = ${lease.leaseId} and upper(period) < limits.until`.execute(tx);
  await sql`
    delete from reservation s using reservation l
    where l.lease_id = ${lease.leaseId} and s.partition_id = ${lease.partitionId}
      and s.lease_id is null and s.period <@ l.period`.execute(tx);
}

/**
 * From `now` on, the partition's standing reservation fills what no lease has. Called after every
 * change of a lease's reservation or of the standing size; calling it twice changes nothing more.
 * With `yielding` it leaves to others what was lent to them: without, the database refuses.
 */
export async function fillStanding(
  tx: Kysely<DB>,
  partition: { partitionId: PartitionId; hostId: HostId },
  standing: { readonly size: Size; readonly cpuMode: CpuMode; readonly yielding: boolean } | null,
  now: Date,
): Promise<void> {
  await tx
    .deleteFrom("reservation")
    .where("partitionId", "=", partition.partitionId)
    .where("leaseId", "is", null)
    .where(sql<boolean>`lower(period) >= ${now}`)
    .execute();
  await tx
    .updateTable("reservation")
    .set({ period: sql`tstzrange(lower(period), ${now}::timestamptz, '[)')` })
    .where("partitionId", "=", partition.partitionId)
    .where("leaseId", "is", null)
    .where(sql<boolean>`period @> ${now}::timestamptz`)
    .execute();
  if (standing === null) return;
  const { hostId } = partition;
  const during = { start: now, end: null };
  const reserved = await readReservations(tx, { hostIds: [hostId], during });
  const own = ({ partitionId }: Reservation) => partitionId === partition.partitionId;
  const others = reserved
    .filter((reservation) => !own(reservation))
    .map((other) => ({ ...other, size: basePart(other) }));
  const taken = reserved.filter(own).map(({ period }) => period);
  const { base } = await getHost(tx, hostId);
  for (const gap of gapsBetween(now, taken)) {
    const stretches = standing.yielding
      ? yieldingTo(others, standing, base, gap)
      : [{ size: standing.size, period: gap }];
    for (const { size, period } of stretches) {
      const { partitionId } = partition;
      const standing = { hostId, partitionId, leaseId: null, size, standby: [], period };
      await insertReservation(tx, standing, now);
    }
  }
}

/** Of a reservation `reservation`, as a column: its parts of lent codes. */
const STANDBY_PARTS = sql<StandbyPart[]>`case
  when standby_cpu_milli = 0 and standby_memory_bytes = 0 then '[]'::jsonb
  else (select jsonb_agg(jsonb_build_object('codeId', s.code_id, 'resource', c.resource,
      'quantity', s.quantity) order by s.code_id)
    from standby_reservation s join lent_code c using (host_id, code_id)
    where s.reservation_id = reservation.reservation_id) end`;

/** What of a lease's size is standby's. */
export async function readStandby(db: Kysely<DB>, leaseId: LeaseId): Promise<StandbyPart[]> {
  const row = await db
    .selectFrom("reservation")
    .select(STANDBY_PARTS.as("standby"))
    .where("leaseId", "=", leaseId)
    .executeTakeFirst();
  return row?.standby ?? [];
}

/** Reservations that touch a period, of a partition, of hosts, or of all. */
export async function readReservations(
  db: Kysely<DB>,
  which: { during: Period; partitionId?: PartitionId; hostIds?: readonly HostId[] },
): Promise<Reservation[]> {
  const rows = await db
    .selectFrom("reservation")
    .select(["hostId", "partitionId", "leaseId", "cpuMilli", "memoryBytes", "diskBytes"])
    .select(STANDBY_PARTS.as("standby"))
    .select(sql<Date>`lower(period)`.as("start"))
    .select(sql<Date | null>`upper(period)`.as("end"))
    .where(sql<boolean>`period && ${sqlPeriod(which.during)}`)
    .$if(which.partitionId !== undefined, (query) =>
      query.where("partitionId", "=", which.partitionId ?? ""),
    )
    .$if(which.hostIds !== undefined, (query) => query.where("hostId", "in", which.hostIds ?? []))
    .execute();
  return rows.map((row) => ({
    hostId: row.hostId as HostId,
    partitionId: row.partitionId as PartitionId,
    leaseId: row.leaseId as LeaseId | null,
    size: {
      cpuMilli: row.cpuMilli,
      memoryBytes: Number(row.memoryBytes),
      diskBytes: Number(row.diskBytes),
    },
    standby: row.standby,
    period: { start: row.start, end: row.end },
  }));
}

/** What of its base is reserved on each host at this instant. */
export async function readReservedNow(
  db: Kysely<DB>,
  hostIds: readonly HostId[],
  now: Date,
): Promise<ReadonlyMap<HostId, Size>> {
  if (hostIds.length === 0) return new Map();
  const { rows } = await sql<{ hostId: HostId } & Record<keyof Size, bigint>>`
    select host_id, sum(cpu_milli - standby_cpu_milli)::bigint as cpu_milli,
      sum(memory_bytes - standby_memory_bytes)::bigint as memory_bytes,
      sum(disk_bytes)::bigint as disk_bytes
    from reservation
    where host_id = any(${hostIds}) and period @> ${now}::timestamptz
    group by host_id`.execute(db);
  return new Map(
    rows.map(({ hostId, ...sums }) => [
      hostId,
      {
        cpuMilli: Number(sums.cpuMilli),
        memoryBytes: Number(sums.memoryBytes),
        diskBytes: Number(sums.diskBytes),
      },
    ]),
  );
}
