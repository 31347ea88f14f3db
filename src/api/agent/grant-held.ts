import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { type Grant, grantSchema } from "../../enablement/grant.ts";
import type { StandbyPart } from "../../host/lent-code.ts";
import { bumpPartitionGeneration, listPartitions } from "../../host/partition-store.ts";
import { bumpDesiredGeneration } from "../../host/store.ts";
import { insertLeaseEvent } from "../../lease/event-store.ts";
import { readStandby } from "../../lease/reservation-store.ts";
import { type Lease, updateLease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { ServerContext } from "../context.ts";
import type { Report } from "../contract/agent.ts";

interface About {
  readonly lease: Lease;
  readonly report: Extract<Report, { kind: "grant-held" }>;
  readonly now: Date;
}

/**
 * This server's database was set back, and it granted again, or has yet to grant, what it granted
 * before. Its own signature proves the earlier grant; the records hang on that one, so that one
 * stands. Refuses: signature-refused, grant-unknown.
 */
export async function takeGrantBack(
  { keys }: ServerContext,
  tx: Kysely<DB>,
  { lease, report, now }: About,
): Promise<void> {
  const { leaseId, hostId } = lease;
  const { grantJws, reportId } = report;
  if (lease.grantJws === grantJws) return;
  const signed = { typ: "sublet-grant", keys: keyRing(keys.all), schema: grantSchema } as const;
  const held = verify({ jws: grantJws, ...signed });
  if (!held.ok) throw refusal("signature-refused", { code: held.code, message: held.message });
  const standby = await readStandby(tx, leaseId);
  if (!isGrantOf(held.payload, lease, standby)) throw refusal("grant-unknown", { leaseId });
  if (lease.state === "booked") {
    const partitions = await listPartitions(tx, { hostId }, now);
    const own = partitions.find(({ partitionId }) => partitionId === lease.partitionId);
    if (own?.inUse) throw refusal("lease-not-granted", { leaseId });
    await bumpPartitionGeneration(tx, lease.partitionId);
    await updateLease(tx, leaseId, { state: "preparing", preparingAt: now, grantJws });
  } else {
    await updateLease(tx, leaseId, { grantJws });
  }
  const event = { kind: "grant-found", reason: "server-set-back" };
  await insertLeaseEvent(tx, { leaseId, ...event, reportId, at: now });
  await bumpDesiredGeneration(tx, hostId);
}

/** The same booking in all that a grant says of it. */
function isGrantOf(grant: Grant, lease: Lease, standby: readonly StandbyPart[]): boolean {
  const { leaseId, hostId, partitionId, cpuMode, size, tariff, sshPublicKey, period } = lease;
  const start = period?.start.toISOString();
  const said = [grant.leaseId, grant.aud, grant.sequence, grant.clientKey, grant.tariff];
  const { partition } = grant;
  return (
    canonicalJson([...said, partition.partitionId, partition.cpuMode, partition.size]) ===
      canonicalJson([leaseId, hostId, 1, sshPublicKey, tariff, partitionId, cpuMode, size]) &&
    canonicalJson(grant.standby ?? []) === canonicalJson(standby) &&
    grant.period.start === start &&
    period !== null &&
    Date.parse(grant.period.end) <= period.end.getTime()
  );
}
