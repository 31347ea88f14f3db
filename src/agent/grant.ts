import { type EndOrder, endOrderSchema, type Grant, grantSchema } from "../enablement/grant.ts";
import type { OwnGrant } from "../enablement/own-grant.ts";
import { type PowerOrder, powerOrderSchema } from "../enablement/power.ts";
import { manifestFault } from "../image/manifest.ts";
import { checkShape } from "../partition/allocation.ts";
import { verify } from "../signature/envelope.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import { formatBytes } from "../unit/quantity.ts";
import { fitsWithin } from "../unit/size.ts";
import { type PartitionAllocation, readPartition } from "./allocation/store.ts";
import type { AgentContext } from "./context.ts";
import { baseSizeOf, standbyParts } from "./grant-parts.ts";
import { holderOf, type LeaseRow } from "./lease/store.ts";

export type Judgement<G = Grant> = { readonly ok: true; readonly grant: G } | Refused;

export interface Refused {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
}

/**
 * Is this a grant that this host may run (invariant 4)? The agent decides by itself: the server's
 * word counts only where it is signed, and only for what this host really has.
 */
export function judgeGrant(context: AgentContext, lease: LeaseRow): Judgement {
  if (lease.grantJws === null) return no("grant-missing", "the lease has no grant");
  const verified = verify({
    jws: lease.grantJws,
    typ: "sublet-grant",
    keys: context.serverKeys,
    schema: grantSchema,
  });
  if (!verified.ok) return no(`grant-${verified.code}`, verified.message);
  const grant = verified.payload;
  return judgeAddress(context, lease, grant) ?? judgeContent(context, grant) ?? { ok: true, grant };
}

/** Null when it is for this host, this agent, this lease and this time. */
function judgeAddress(context: AgentContext, lease: LeaseRow, grant: Grant): Refused | null {
  if (grant.iss !== context.server?.joined.serverId) {
    return no("grant-other-server", `the grant is from ${grant.iss}`);
  }
  if (grant.aud !== context.host.hostId) {
    return no("grant-other-host", `the grant is for ${grant.aud}`);
  }
  if (context.keys.held(grant.agentKeyThumbprint) === null) {
    return no("grant-other-agent", "the grant is for a key that this agent has not");
  }
  if (grant.leaseId !== lease.leaseId || grant.partition.partitionId !== lease.partitionId) {
    return no("grant-other-lease", `the grant is for ${grant.leaseId}`);
  }
  if (Date.parse(grant.period.end) <= context.time.nowMs()) {
    return no("grant-expired", `the grant's period ended at ${grant.period.end}`);
  }
  return null;
}

/** Null when this host has what is granted, and the image can boot here. */
function judgeContent(context: AgentContext, grant: Grant): Refused | null {
  const { partition } = grant;
  const known = readPartition(context.db, partition.partitionId);
  if (known === null) return no("partition-unknown", `there is no ${partition.name} here`);
  if (!known.lendable) return no("partition-not-lendable", `${partition.name} is not lendable`);
  if (holderOf(context.db, partition.partitionId)?.origin === "own") {
    const message = `${partition.name} has a guest of the host's owner, who must wipe it first`;
    return no("partition-has-guest", message);
  }
  return (
    judgeFit(context, grant) ?? judgeTerms(context, known, grant) ?? judgeImage(context, grant)
  );
}

function judgeTerms(
  context: AgentContext,
  known: PartitionAllocation,
  grant: Grant,
): Refused | null {
  const { partition } = grant;
  const { internet, internetReason } = context.capacity.facts;
  if (grant.internet && !internet) {
    return no("internet-unsupported", `this host cannot give the internet: ${internetReason}`);
  }
  // The lender's limits are of the base; what is standby's comes on top of it.
  if (!fitsWithin(known.min, partition.size) || !fitsWithin(baseSizeOf(grant), known.max)) {
    return no("size-outside-limits", `${partition.name} is not to be re-cut to that size`);
  }
  return null;
}

/** Null when this host can run such a guest, whoever it is for. */
export function judgeGuest(context: AgentContext, grant: Grant | OwnGrant): Refused | null {
  return judgeFit(context, grant) ?? judgeImage(context, grant);
}

function judgeImage(context: AgentContext, grant: Grant | OwnGrant): Refused | null {
  const { partition, image } = grant;
  const { manifest } = image;
  if (`sha256:${sha256Hex(canonicalJson(manifest))}` !== image.digest) {
    return no("image-digest-wrong", "the image's manifest does not have the digest granted");
  }
  if (manifest.architecture !== context.capacity.architecture) {
    return no("image-architecture-wrong", `the image is for ${manifest.architecture}`);
  }
  const fault = manifestFault(manifest);
  if (fault !== null) return no("image-incomplete", fault);
  if (partition.size.memoryBytes < manifest.memoryBytesMin) {
    return no("memory-too-small", `the image needs ${manifest.memoryBytesMin} bytes of memory`);
  }
  const diskBytesMin = manifest.diskBytesMin ?? 0;
  if (partition.size.diskBytes - (grant.outbox?.bytes ?? 0) < diskBytesMin) {
    return no(
      "image-too-big",
      `the image's disk has ${formatBytes(diskBytesMin)}; ask for more disk`,
    );
  }
  if (!AUTHORIZED_KEY.test(grant.clientKey)) {
    return no("client-key-wrong", "the client's key is not one public key without options");
  }
  return null;
}

function judgeFit(context: AgentContext, grant: Grant | OwnGrant): Refused | null {
  const { facts, base } = context.capacity;
  const { size, cpuMode } = grant.partition;
  const shape = checkShape(size, cpuMode, facts.sharedCpu);
  if (!shape.ok) return shape;
  const own = baseSizeOf(grant);
  if (standbyParts(grant).length > 0 && (own.cpuMilli < 1000 || own.memoryBytes <= 0)) {
    const message = "at least a core and some memory of a guest are the base's, and not standby's";
    return no("capacity-exceeded", message);
  }
  if (fitsWithin(own, base)) return null;
  return no("capacity-exceeded", "more is granted than this host has in all");
}

/**
 * May this lease go on for longer? Of its first grant nothing may differ but the number, which rises,
 * and the end, which is later. Also for what the server signed: what is frozen stays so.
 */
export function judgeExtension(context: AgentContext, lease: LeaseRow, jws: string): Judgement {
  const { granted, endsAt, sequence } = lease;
  if (granted === null || !("period" in granted) || endsAt === null)
    return no("lease-ending", "the lease is not running");
  const verified = verify({
    ...{ jws, typ: "sublet-grant" as const, keys: context.serverKeys, schema: grantSchema },
  });
  if (!verified.ok) return no(`extension-${verified.code}`, verified.message);
  const grant = verified.payload;
  if (canonicalJson(unchanging(grant)) !== canonicalJson(unchanging(granted))) {
    return no("extension-differs", "it changes more than the end of the lease");
  }
  if (grant.sequence <= sequence) {
    return no("extension-not-newer", `its number ${grant.sequence} is not above ${sequence}`);
  }
  if (Date.parse(grant.period.end) <= Date.parse(endsAt)) {
    return no("extension-not-longer", `it ends at ${grant.period.end}, the lease at ${endsAt}`);
  }
  return { ok: true, grant };
}

/** All of a grant but what makes it another one. Issuer, host, lease, partition, keys, prices … */
function unchanging({ jti: _jti, issuedAt: _issuedAt, sequence: _sequence, ...rest }: Grant) {
  return { ...rest, period: { start: rest.period.start } };
}

/** Options before the key, or a second line, would be commands to the guest's SSH server. */
const AUTHORIZED_KEY =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9-]+@openssh\.com) [A-Za-z0-9+/]+={0,2}( [\x20-\x7e]*)?$/;

/** The order, or null when it is not the server's word for this lease; told in the log. */
export function readEndOrder(
  context: AgentContext,
  leaseId: string,
  endJws: string,
): EndOrder | null {
  const verified = verify({
    jws: endJws,
    typ: "sublet-end",
    keys: context.serverKeys,
    schema: endOrderSchema,
  });
  const wrong = verified.ok ? addressFault(context, leaseId, verified.payload) : verified.message;
  if (wrong === null && verified.ok) return verified.payload;
  context.log.error({ leaseId, reason: wrong }, "an end order was refused; the lease goes on");
  return null;
}

/** What the client wants of its guest's power, or null when it is not the server's word for it. */
export function readPowerOrder(
  context: AgentContext,
  leaseId: string,
  powerJws: string,
): PowerOrder | null {
  const verified = verify({
    jws: powerJws,
    typ: "sublet-power",
    keys: context.serverKeys,
    schema: powerOrderSchema,
  });
  const wrong = verified.ok ? addressFault(context, leaseId, verified.payload) : verified.message;
  if (wrong === null && verified.ok) return verified.payload;
  context.log.error({ leaseId, reason: wrong }, "a power order was refused; the guest stays so");
  return null;
}

function addressFault(
  context: AgentContext,
  leaseId: string,
  order: Pick<EndOrder, "iss" | "aud" | "leaseId">,
): string | null {
  if (order.iss !== context.server?.joined.serverId) return `it is from ${order.iss}`;
  if (order.aud !== context.host.hostId) return `it is for ${order.aud}`;
  return order.leaseId === leaseId ? null : `it is for ${order.leaseId}`;
}

function no(code: string, message: string): Refused {
  return { ok: false, code, message };
}
