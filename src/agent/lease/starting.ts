import type { Grant } from "../../enablement/grant.ts";
import type { OwnGrant } from "../../enablement/own-grant.ts";
import { inTransaction } from "../../meter/transaction.ts";
import type { Placement } from "../../partition/allocation.ts";
import type { CpuMode } from "../../unit/schema.ts";
import { allocatePartition } from "../allocation/apply.ts";
import { acceptParts, arePartsFree, takePartCores } from "../capacity/lease-parts.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { judgeGrant } from "../grant.ts";
import { baseSizeOf } from "../grant-parts.ts";
import { ensureImage } from "../image/cache.ts";
import { judgeOwnGrant } from "../own/judge.ts";
import { queueReport } from "../report/store.ts";
import { deadlineAt } from "./deadline.ts";
import { fail } from "./ending.ts";
import { guestSpec } from "./guest-spec.ts";
import { generateHostKey } from "./host-key.ts";
import { changeLease, type LeaseChange, type LeaseRow, listLeases } from "./store.ts";

/** Effects on the way from the grant to the started guest. */

export function judge(context: AgentContext, lease: LeaseRow): void {
  const judgement =
    lease.origin === "own" ? judgeOwnGrant(context, lease) : judgeGrant(context, lease);
  if (!judgement.ok) {
    fail(context, lease, { reason: judgement.code, message: judgement.message });
    return;
  }
  const { grant } = judgement;
  const deadline = "period" in grant ? deadlineAt(context, grant.period.end) : {};
  inTransaction(context.db, () => {
    const restNs = (deadline.endsAtNs ?? 0n) - context.clock.monotonicNs();
    // With the lease's acceptance, or neither: what it was promised of the standby is kept for it.
    const message = "period" in grant ? acceptParts(context, grant, restNs) : null;
    if (message !== null) return fail(context, lease, { reason: "capacity-exceeded", message });
    const accepted: LeaseChange = { stage: "accepted", granted: grant, ...deadline };
    advance(context, lease, "grant-verified", accepted);
  });
}

export async function fetchImage(context: AgentContext, lease: LeaseRow): Promise<void> {
  await ensureImage(context, grantOf(lease).image.manifest);
  advance(context, lease, "image-verified", { stage: "imaged" });
}

/**
 * Not systemd's, Debian's or a container's: nobody on the host has these user ids. With the lowest
 * dedicated core added, no two guests have the same, not even those of two agents on one computer.
 * Shared guests of one agent have no core of their own: each takes a further block of numbers.
 */
const UID_FIRST = 1_900_000_000;
/** More cores than any agent may have: see `core-list.ts`. */
const UID_BLOCK = 4096;
/** Cores of a lease that ends are soon free. */
const ALLOCATE_AGAIN_NS = 500_000_000n;

export function allocate(context: AgentContext, lease: LeaseRow): void {
  const hostKey = generateHostKey();
  inTransaction(context.db, () => {
    const placement = placementOf(context, lease);
    if (placement.ok) {
      takePartCores(context, lease.leaseId);
      advance(context, lease, "allocated", {
        stage: "allocated",
        cores: placement.cores,
        uid: freeUid(context, grantOf(lease).partition.cpuMode, placement.cores),
        hostKeyPrivate: hostKey.privateText,
        hostKeyPublic: hostKey.publicLine,
      });
    } else if (placement.mayPass) {
      const retryAtNs = context.clock.monotonicNs() + ALLOCATE_AGAIN_NS;
      changeLease(context.db, lease.leaseId, { retryAtNs });
    } else {
      fail(context, lease, { reason: placement.code, message: placement.message });
    }
  });
}

/** Of the base as it is cut; and of the standby what nobody has any more. */
function placementOf(context: AgentContext, lease: LeaseRow): Placement {
  const free = arePartsFree(context, lease.leaseId);
  if (free === "free") {
    const granted = grantOf(lease);
    const wanted = { ...granted.partition, size: baseSizeOf(granted) };
    return allocatePartition(context, lease.leaseId, wanted);
  }
  const message = "what is granted of the standby is in service elsewhere";
  return { ok: false, code: "capacity-exceeded", message, mayPass: free === "soon" };
}

function freeUid(context: AgentContext, cpuMode: CpuMode, cores: readonly number[]): number {
  if (cpuMode === "dedicated") return UID_FIRST + (cores[0] ?? 0);
  const taken = new Set(listLeases(context.db).map(({ uid }) => uid));
  const lowestCore = Math.min(...context.capacity.facts.cores);
  for (let uid = UID_FIRST + UID_BLOCK + lowestCore; ; uid += UID_BLOCK) {
    if (!taken.has(uid)) return uid;
  }
}

export async function prepare(context: AgentContext, lease: LeaseRow): Promise<void> {
  await context.driver.prepare(guestSpec(context, lease));
  changeLease(context.db, lease.leaseId, { stage: "prepared" });
}

/** The image is verified once more: the cache may have been altered since it was fetched. */
export async function boot(context: AgentContext, lease: LeaseRow): Promise<void> {
  await ensureImage(context, grantOf(lease).image.manifest);
  const { port } = await context.driver.boot(guestSpec(context, lease));
  const booted: LeaseChange = {
    stage: "booted",
    port,
    bootedAtNs: context.clock.monotonicNs(),
    failures: lease.failures,
  };
  if (lease.failures === 0) advance(context, lease, "booting", booted);
  else changeLease(context.db, lease.leaseId, booted);
}

export function grantOf(lease: LeaseRow): Grant | OwnGrant {
  if (lease.granted === null) throw new Error(`${lease.leaseId} has no verified grant`);
  return lease.granted;
}

/** The next stage and the report of it, both or neither. */
function advance(
  context: AgentContext,
  lease: LeaseRow,
  progress: string,
  change: LeaseChange,
): void {
  inTransaction(context.db, () => {
    changeLease(context.db, lease.leaseId, change);
    const about = { leaseId: lease.leaseId, at: instantNow(context) };
    queueReport(context.db, about, { kind: "progress", step: progress });
  });
}
