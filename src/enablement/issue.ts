import type { StandbyPart } from "../host/lent-code.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Lease } from "../lease/store.ts";
import { sign } from "../signature/envelope.ts";
import { type SigningKey, thumbprint } from "../signature/key.ts";
import { newId } from "../unit/id.ts";
import { type EndOrder, type Grant, readOwnGrant } from "./grant.ts";
import type { PowerOrder, PowerState } from "./power.ts";

export interface Issuer {
  readonly serverId: string;
  readonly key: SigningKey;
}

/** The code by which this host, and no other, may run this lease: signed when its period begins. */
export function issueGrant(
  issuer: Issuer,
  { lease, standby, image, host, billingTimeZone, now }: GrantInput,
): string {
  if (!lease.period) throw new Error(`${lease.leaseId} has no period to grant`);
  if (host.agentPublicJwk?.x === undefined) throw new Error(`${host.hostId} has no agent`);
  const grant: Grant = {
    jti: newId("grant", now.getTime()),
    iss: issuer.serverId,
    aud: lease.hostId,
    issuedAt: now.toISOString(),
    leaseId: lease.leaseId,
    sequence: 1,
    partition: {
      partitionId: lease.partitionId,
      name: lease.partitionName,
      cpuMode: lease.cpuMode,
      size: lease.size,
    },
    period: { start: lease.period.start.toISOString(), end: lease.period.end.toISOString() },
    ...(standby.length > 0 ? { standby: [...standby] } : {}),
    image: { imageId: image.imageId, digest: image.digest, manifest: image.manifest },
    clientKey: lease.sshPublicKey,
    internet: lease.internet,
    ...(lease.outbox ? { outbox: lease.outbox } : {}),
    tariff: lease.tariff,
    billingTimeZone,
    // One key signs the whole chain of a lease: another grant of it names the key of the first.
    agentKeyThumbprint: lease.grantJws
      ? readOwnGrant(lease.grantJws).agentKeyThumbprint
      : thumbprint({ x: host.agentPublicJwk.x }),
  };
  return sign("sublet-grant", grant, issuer.key);
}

interface GrantInput {
  readonly lease: Lease;
  /** What of its size is standby's. */
  readonly standby: readonly StandbyPart[];
  readonly image: Image;
  readonly host: Host;
  readonly billingTimeZone: string;
  readonly now: Date;
}

/** The first grant again, but for its number and a later end: nothing else of a lease ever changes. */
export function issueExtension(
  issuer: Issuer,
  { grantJws, sequence, endsAt, now }: ExtensionInput,
): string {
  const first = readOwnGrant(grantJws);
  const extension: Grant = {
    ...first,
    jti: newId("grant", now.getTime()),
    issuedAt: now.toISOString(),
    sequence,
    period: { start: first.period.start, end: endsAt.toISOString() },
  };
  return sign("sublet-grant", extension, issuer.key);
}

export interface ExtensionInput {
  /** The lease's first. */
  readonly grantJws: string;
  /** One more than that of any grant of the lease before. */
  readonly sequence: number;
  readonly endsAt: Date;
  readonly now: Date;
}

export function issueEndOrder(
  issuer: Issuer,
  { lease, reason, now }: { lease: Lease; reason: string; now: Date },
): string {
  const order: EndOrder = {
    jti: newId("end", now.getTime()),
    iss: issuer.serverId,
    aud: lease.hostId,
    issuedAt: now.toISOString(),
    leaseId: lease.leaseId,
    reason,
  };
  return sign("sublet-end", order, issuer.key);
}

export function issuePowerOrder(
  issuer: Issuer,
  asked: { lease: Lease; state: PowerState; generation: number; now: Date },
): string {
  const { lease, state, generation, now } = asked;
  const order: PowerOrder = {
    jti: newId("power", now.getTime()),
    iss: issuer.serverId,
    aud: lease.hostId,
    issuedAt: now.toISOString(),
    leaseId: lease.leaseId,
    state,
    generation,
  };
  return sign("sublet-power", order, issuer.key);
}
