import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import type { Host } from "../../host/store.ts";
import type { Offer } from "../../market/offer.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Body } from "../contract/contract.ts";

type Conditions = Omit<
  Offer,
  "offerId" | "createdAt" | "hostId" | "lenderPartyId" | "partitionId" | "carve" | "operatorFeePpm"
>;

/** Refuses the internet on a host that is known to be unable to give it. */
export function refuseInternetWhereNone(host: Host, { internet }: Conditions): void {
  if (!internet || host.facts === null || host.facts.internet) return;
  const reason = host.facts.internetReason ?? "its agent is of an older version";
  throw refusal("internet-unsupported", { host: host.name, reason });
}

/** What a lender typed, as an offer keeps it. Refuses invalid-input and parties that do not exist. */
export async function conditionsOf(db: Kysely<DB>, body: Body<"setOffer">): Promise<Conditions> {
  if (body.leaseSecondsMin > body.leaseSecondsMax) {
    throw refusal("invalid-input", {
      message: "the shortest lease is longer than the longest; change --min-lease or --max-lease",
    });
  }
  const named = body.borrowers.who === "everyone" ? [] : body.borrowers.parties;
  const parties = await Promise.all(named.map((name) => getParty(db, name)));
  return {
    priceMicrosPerCoreHour: BigInt(body.priceMicrosPerCoreHour),
    priceMicrosPerSharedCoreHour: BigInt(body.priceMicrosPerSharedCoreHour),
    priceMicrosPerMemoryGibHour: BigInt(body.priceMicrosPerMemoryGibHour),
    priceMicrosPerDiskGibHour: BigInt(body.priceMicrosPerDiskGibHour),
    priceMicrosPerHour: BigInt(body.priceMicrosPerHour),
    leaseSecondsMin: body.leaseSecondsMin,
    leaseSecondsMax: body.leaseSecondsMax,
    windows: body.windows,
    timeZone: body.timeZone,
    borrowers: body.borrowers.who,
    borrowerPartyIds: [...new Set(parties.map(({ partyId }) => partyId))],
    labels: body.labels,
    internet: body.internet,
  };
}
