import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { sumOf } from "../../lease/choose.ts";
import { findMatches, type Mismatch } from "../../lease/find-matches.ts";
import type { Candidate, Match } from "../../market/match.ts";
import { getParty } from "../../party/store.ts";
import type { Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

type MatchView = Response<"search">["matches"][number];
type MismatchView = Response<"search">["mismatches"][number];

export const search: Handler<"search"> = async (context, { caller, body }) => {
  const { db, terms, upSince } = context;
  const now = context.clock.now();
  const find = { requirement: body, clientPartyId: caller.partyId, terms, now };
  const found = await findMatches(db.kysely, { ...find, serverUpSince: upSince, counters: true });
  const view = (matches: readonly Match[]) =>
    Promise.all(matches.map((match) => viewMatch(db.kysely, match)));
  return {
    matches: await view(found.matches),
    together: {
      wanted: body.count,
      matches: await view(found.together),
      perHourMicros: sumOf(found.together, "perHourMicros").toString(),
      totalMicros: sumOf(found.together, "totalMicros").toString(),
    },
    mismatches: found.mismatches.map(viewMismatch),
  };
};

async function viewMatch(db: Kysely<DB>, match: Match): Promise<MatchView> {
  const { candidate, size, recut, image, tariff, quote } = match;
  const lender = await getParty(db, candidate.offer.lenderPartyId);
  const { period } = candidate;
  return {
    ...placeOf(candidate),
    lender: { id: lender.partyId, name: lender.name },
    size,
    recut,
    cpuMode: candidate.partition.cpuMode,
    image: { imageId: image.imageId, name: image.manifest.name, version: image.manifest.version },
    period: { start: period.start.toISOString(), end: period.end.toISOString() },
    tariff,
    quote,
  };
}

function viewMismatch({ candidate, reasons, counter }: Mismatch): MismatchView {
  return {
    ...placeOf(candidate),
    reasons: reasons.map((reason) => ({ ...reason })),
    counter: counter && viewCounter(counter.offer),
  };
}

function viewCounter(
  offer: NonNullable<Mismatch["counter"]>["offer"],
): NonNullable<MismatchView["counter"]> {
  return offer.kind === "start" ? { kind: "start", start: offer.start.toISOString() } : offer;
}

/** What is yet to be carved has no name: it gets one when it is booked. */
function placeOf({ partition, carvable, host, offer }: Candidate) {
  return {
    offerId: offer.offerId,
    partition: carvable ? null : { id: partition.partitionId, name: partition.name },
    host: { id: host.hostId, name: host.name },
  };
}
