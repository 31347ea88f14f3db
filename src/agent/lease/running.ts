import { beginChain } from "../../meter/spool.ts";
import { inTransaction } from "../../meter/transaction.ts";
import type { Access } from "../../partition/signed.ts";
import { sign } from "../../signature/envelope.ts";
import { beginParts, partsOf } from "../capacity/lease-parts.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { listGuests } from "../guests.ts";
import { ensureImage } from "../image/cache.ts";
import { storeReading } from "../metering.ts";
import { queueReport } from "../report/store.ts";
import { guestSpec } from "./guest-spec.ts";
import { grantOf } from "./starting.ts";
import { changeLease, type LeaseChange, type LeaseRow } from "./store.ts";

/** Effects on a guest that is or was delivered. */

/** The way in has just answered: with the first reading, delivery and its metering begin. */
export async function deliver(context: AgentContext, lease: LeaseRow): Promise<void> {
  const { db } = context;
  const observation = await context.driver.observe(lease.leaseId);
  const accessJws = signAccess(context, lease);
  const guests = partsOf(context, lease.leaseId).length === 0 ? [] : await listGuests(context);
  inTransaction(db, () => {
    // What the client pays for from now on it has.
    beginParts(context, lease.leaseId, guests);
    if (lease.origin === "lease") beginMetering(context, lease);
    storeReading(context, lease, observation, true);
    const readyReport = queueReport(db, aboutNow(context, lease), { kind: "ready", accessJws });
    const ready: LeaseChange = { stage: "ready", isDelivered: true, silentReadings: 0 };
    changeLease(db, lease.leaseId, { ...ready, readyReport });
  });
  context.log.info({ leaseId: lease.leaseId, port: lease.port }, "a guest is delivered");
}

function beginMetering(context: AgentContext, lease: LeaseRow): void {
  const { cpuMode, size } = grantOf(lease).partition;
  const { leaseId: chainId, partitionId } = lease;
  const terms = { chainId, hostId: context.host.hostId, partitionId, cpuMode, size };
  const begun = beginChain(context.db, terms, lease.grantJws ?? "");
  if (!begun.ok) throw new Error(begun.message);
}

export function reportUndelivered(context: AgentContext, lease: LeaseRow, reason: string): void {
  inTransaction(context.db, () => {
    changeLease(context.db, lease.leaseId, { isDelivered: false });
    tellUndelivered(context, lease, reason);
  });
  context.log.warn({ leaseId: lease.leaseId, reason }, "a guest is not delivered at present");
}

export function tellUndelivered(context: AgentContext, lease: LeaseRow, reason: string): void {
  const body = { kind: "undelivered", reason: reason.slice(0, 64) } as const;
  queueReport(context.db, aboutNow(context, lease), body);
}

export async function reportDelivered(context: AgentContext, lease: LeaseRow): Promise<void> {
  const observation = await context.driver.observe(lease.leaseId);
  inTransaction(context.db, () => {
    storeReading(context, lease, observation, true);
    changeLease(context.db, lease.leaseId, { isDelivered: true, silentReadings: 0, failures: 0 });
    queueReport(context.db, aboutNow(context, lease), { kind: "delivered-again" });
  });
  context.log.info({ leaseId: lease.leaseId }, "a guest is delivered again");
}

/** A fresh process on the same disk, at the same port: the client's access stays what it was. */
export async function bootAgain(context: AgentContext, lease: LeaseRow): Promise<void> {
  await ensureImage(context, grantOf(lease).image.manifest);
  await context.driver.boot(guestSpec(context, lease));
  changeLease(context.db, lease.leaseId, { bootedAtNs: context.clock.monotonicNs() });
}

function signAccess(context: AgentContext, lease: LeaseRow): string {
  if (lease.port === null || lease.hostKeyPublic === null) {
    throw new Error(`${lease.leaseId} has no way in`);
  }
  const access: Access = {
    leaseId: lease.leaseId,
    hostId: context.host.hostId,
    address: context.config.accessAddress,
    port: lease.port,
    ...(context.config.isDirectOffered ? {} : { direct: false }),
    user: grantOf(lease).image.manifest.user,
    hostKey: lease.hostKeyPublic,
  };
  return sign("sublet-access", access, context.keys.of(lease));
}

function aboutNow(context: AgentContext, lease: LeaseRow) {
  return { leaseId: lease.leaseId, at: instantNow(context) };
}
