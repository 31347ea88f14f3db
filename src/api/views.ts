import type { z } from "zod";
import { hostState } from "../host/liveness.ts";
import type { Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Lease } from "../lease/store.ts";
import { type NamedOffer, tariffOf } from "../market/offer.ts";
import { accessSchema } from "../partition/signed.ts";
import type { PartyId } from "../unit/id.ts";
import { type Size, subtractSizes } from "../unit/size.ts";
import type { ServerContext } from "./context.ts";
import type { hostView, imageView, LeaseView, offerView, partitionView } from "./contract/view.ts";

/** How the nouns look from outside. */

export function viewHost(
  context: Pick<ServerContext, "upSince" | "clock">,
  host: Host,
  lenderName: string,
  reserved: Size,
): z.infer<typeof hostView> {
  return {
    hostId: host.hostId,
    name: host.name,
    lender: { id: host.lenderPartyId, name: lenderName },
    state: hostState(host, { upSince: context.upSince, now: context.clock.now() }),
    seenAt: host.seenAt?.toISOString() ?? null,
    drainedAt: host.drainedAt?.toISOString() ?? null,
    maintenance: host.maintenance && {
      start: host.maintenance.start.toISOString(),
      end: host.maintenance.end?.toISOString() ?? null,
    },
    removedAt: host.removedAt?.toISOString() ?? null,
    architecture: host.architecture,
    facts: host.facts,
    reserve: host.reserve,
    base: host.base,
    standby: host.standby,
    free: subtractSizes(host.base, reserved),
  };
}

export function viewPartition(partition: Partition): z.infer<typeof partitionView> {
  return {
    partitionId: partition.partitionId,
    name: partition.name,
    host: { id: partition.hostId, name: partition.hostName },
    lendable: partition.lendable,
    cpuMode: partition.cpuMode,
    carved: partition.carved,
    size: partition.size,
    standingSize: partition.standingSize,
    min: partition.min,
    max: partition.max,
    generation: Number(partition.generation),
    inUse: partition.inUse && {
      leaseId: partition.inUse.leaseId,
      until: partition.inUse.until.toISOString(),
    },
    offerId: partition.offerId,
  };
}

export function viewOffer(
  context: Pick<ServerContext, "terms">,
  offer: NamedOffer,
): z.infer<typeof offerView> {
  return {
    offerId: offer.offerId,
    partition: offer.partitionId && { id: offer.partitionId, name: offer.partitionName ?? "" },
    host: { id: offer.hostId, name: offer.hostName },
    carve: offer.carve,
    tariff: tariffOf(offer, context.terms),
    leaseSecondsMin: offer.leaseSecondsMin,
    leaseSecondsMax: offer.leaseSecondsMax,
    windows: offer.windows.map(({ days, from, to }) => ({ days: [...days], from, to })),
    timeZone: offer.timeZone,
    borrowers: {
      who: offer.borrowers,
      parties: offer.borrowerParties.map((party) => ({ ...party })),
    },
    labels: { ...offer.labels },
    internet: offer.internet,
    createdAt: offer.createdAt.toISOString(),
  };
}

export function viewImage(image: Image): z.infer<typeof imageView> {
  return {
    imageId: image.imageId,
    digest: image.digest,
    manifest: image.manifest,
    createdAt: image.createdAt.toISOString(),
  };
}

/** The way in is shown to the client alone, and only while there is one. */
export function viewLease(lease: Lease, viewer: PartyId): LeaseView {
  const open = lease.state === "ready" && viewer === lease.clientPartyId ? lease.access : null;
  const { accessJws, ...access } = open ?? { accessJws: null };
  return {
    leaseId: lease.leaseId,
    state: lease.state,
    outcome: lease.outcome,
    reason: lease.reason,
    client: { id: lease.clientPartyId, name: lease.clientName },
    lender: { id: lease.lenderPartyId, name: lease.lenderName },
    host: { id: lease.hostId, name: lease.hostName },
    partition: { id: lease.partitionId, name: lease.partitionName },
    size: lease.size,
    cpuMode: lease.cpuMode,
    internet: lease.internet,
    image: { imageId: lease.imageId, name: lease.imageName, version: lease.imageVersion },
    period: lease.period && {
      start: lease.period.start.toISOString(),
      end: lease.period.end.toISOString(),
    },
    tariff: lease.tariff,
    quote: lease.quote,
    leaseSecondsMax: lease.leaseSecondsMax,
    windows: lease.windows.map(({ days, from, to }) => ({ days: [...days], from, to })),
    timeZone: lease.timeZone,
    extensions: lease.extensions.map((extension) => ({
      extensionId: extension.extensionId,
      state: extension.state,
      end: extension.endsAt.toISOString(),
      additionalMicros: extension.additionalMicros.toString(),
      reason: extension.reason,
      createdAt: extension.createdAt.toISOString(),
      settledAt: extension.settledAt?.toISOString() ?? null,
    })),
    access: open && accessSchema.parse(access),
    accessJws,
    agentKeys:
      open && lease.agentKeys.map(({ jwk, rotationJws }) => ({ jwk: { ...jwk }, rotationJws })),
    power: {
      state: lease.powerState,
      generation: lease.powerGeneration,
      doneGeneration: lease.powerDoneGeneration,
    },
    createdAt: lease.createdAt.toISOString(),
    preparingAt: lease.preparingAt?.toISOString() ?? null,
    readyAt: lease.readyAt?.toISOString() ?? null,
    endingAt: lease.endingAt?.toISOString() ?? null,
    endedAt: lease.endedAt?.toISOString() ?? null,
    billId: lease.billId,
  };
}
