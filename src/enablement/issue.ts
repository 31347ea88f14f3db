import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Lease } from "../lease/store.ts";
import { sign } from "../signature/envelope.ts";
import { type SigningKey, thumbprint } from "../signature/key.ts";
import { newId } from "../unit/id.ts";
import type { EndOrder, Grant } from "./grant.ts";
import type { PowerOrder, PowerState } from "./power.ts";

export interface Issuer {
  readonly serverId: string;
  readonly key: SigningKey;
}

/** The code by which this host, and no other, may run this lease: signed when its period begins. */
export function issueGrant(
  issuer: Issuer,
  { lease, image, host, now }: { lease: Lease; image: Image; host: Host; now: Date },
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
    image: { imageId: image.imageId, digest: image.digest, manifest: image.manifest },
    clientKey: lease.sshPublicKey,
    tariff: lease.tariff,
    agentKeyThumbprint: thumbprint({ x: host.agentPublicJwk.x }),
  };
  return sign("sublet-grant", grant, issuer.key);
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
