import { findMatches, periodOf } from "../../lease/find-matches.ts";
import { getParty } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const search: Handler<"search"> = async (context, { body }) => {
  const { db, terms, upSince } = context;
  const now = context.clock.now();
  const find = { requirement: body, terms, serverUpSince: upSince, now };
  const { matches, mismatches } = await findMatches(db.kysely, find);
  const period = periodOf(body, now);
  return {
    matches: await Promise.all(
      matches.map(async ({ candidate, size, recut, image, tariff, quote }) => {
        const { partition, host, offer } = candidate;
        const lender = await getParty(db.kysely, offer.lenderPartyId);
        return {
          offerId: offer.offerId,
          partition: { id: partition.partitionId, name: partition.name },
          host: { id: host.hostId, name: host.name },
          lender: { id: lender.partyId, name: lender.name },
          size,
          recut,
          cpuMode: partition.cpuMode,
          image: {
            imageId: image.imageId,
            name: image.manifest.name,
            version: image.manifest.version,
          },
          period: { start: period.start.toISOString(), end: period.end.toISOString() },
          tariff,
          quote,
        };
      }),
    ),
    mismatches: mismatches.map(({ candidate: { partition, host }, reasons }) => ({
      partition: { id: partition.partitionId, name: partition.name },
      host: { id: host.hostId, name: host.name },
      reasons: reasons.map((reason) => ({ ...reason })),
    })),
  };
};
