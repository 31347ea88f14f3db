import type { z } from "zod";
import { hostState } from "../host/liveness.ts";
import type { Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Lease } from "../lease/store.ts";
import type { NamedOffer } from "../market/offer-store.ts";
import { tariffOf } from "../market/offer-store.ts";
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
    state: hostState({
      enrolled: host.enrolledAt !== null,
      seenAt: host.seenAt,
      serverUpSince: context.upSince,
      now: context.clock.now(),
    }),
    seenAt: host.seenAt?.toISOString() ?? null,
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
    partition: { id: offer.partitionId, name: offer.partitionName },
    host: { id: offer.hostId, name: offer.hostName },
    tariff: tariffOf(offer, context.terms),
    leaseSecondsMin: offer.leaseSecondsMin,
    leaseSecondsMax: offer.leaseSecondsMax,
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
    image: { imageId: lease.imageId, name: lease.imageName, version: lease.imageVersion },
    period: lease.period && {
      start: lease.period.start.toISOString(),
      end: lease.period.end.toISOString(),
    },
    tariff: lease.tariff,
    quote: lease.quote,
    access: open && accessSchema.parse(access),
    accessJws,
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
