import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatDurationSeconds } from "../unit/quantity.ts";
import { connect } from "./connect.ts";
import { readId } from "./option/id.ts";
import { duration, price } from "./option/quantity.ts";
import { facts, table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

type OfferView = Response<"setOffer">;

interface SetInput {
  readonly host: string;
  readonly name: string;
  readonly priceCore: bigint;
  readonly priceMemory: bigint;
  readonly priceDisk: bigint;
  readonly priceFlat: bigint;
  readonly minLease: number;
  readonly maxLease: number;
}

const set = verb<SetInput>({
  usage: "set <host> <name>",
  summary: "Offer a partition on these conditions from now on.",
  examples: [
    "sublet offer set attic guest --price-core 0.10/h --price-memory 0.01/h --price-disk 0.001/h",
    "sublet offer set attic guest --price-flat 0.05/h --min-lease 10m --max-lease 7d",
  ],
  more: "Leases that exist keep the terms that they were booked on.",
  options: [
    price("--price-core <price>", "per core and hour").default(0n, "0/h"),
    price("--price-memory <price>", "per GiB of memory and hour").default(0n, "0/h"),
    price("--price-disk <price>", "per GiB of disk and hour").default(0n, "0/h"),
    price("--price-flat <price>", "per hour, whatever the size").default(0n, "0/h"),
    duration("--min-lease <time>", "the shortest lease").default(60, "1m"),
    duration("--max-lease <time>", "the longest lease").default(30 * 86_400, "30d"),
  ],
  run: async (context, input) => {
    const { client } = await connect(context);
    const offer = await client.call("setOffer", {
      params: { host: input.host, name: input.name },
      body: {
        priceMicrosPerCoreHour: String(input.priceCore),
        priceMicrosPerMemoryGibHour: String(input.priceMemory),
        priceMicrosPerDiskGibHour: String(input.priceDisk),
        priceMicrosPerHour: String(input.priceFlat),
        leaseSecondsMin: input.minLease,
        leaseSecondsMax: input.maxLease,
      },
    });
    return { json: offer, text: offerText(offer) };
  },
});

const list = verb({
  usage: "list",
  summary: "List your offers in force.",
  examples: ["sublet offer list"],
  run: async (context) => {
    const { client } = await connect(context);
    const found = await client.call("listOffers");
    const rows = found.offers.map((offer) => [
      `${offer.host.name}/${offer.partition.name}`,
      ...pricesOf(offer),
      leaseRange(offer),
      offer.offerId,
    ]);
    const headings = ["PARTITION", "CORE/H", "GIB/H", "DISK GIB/H", "FLAT/H", "LEASE", "ID"];
    return { json: found, text: table(context, headings, rows) };
  },
});

const withdraw = verb<{ id: string }>({
  usage: "withdraw <id>",
  summary: "Take no new leases on these conditions; those that exist go on.",
  examples: ["sublet offer withdraw offer_01k9…"],
  run: async (context, { id }) => {
    const offerId = readId("offer", id);
    const { client } = await connect(context);
    const withdrawn = await client.call("withdrawOffer", { params: { offerId } });
    return {
      json: withdrawn,
      text: `${withdrawn.offerId} is withdrawn since ${instant(withdrawn.withdrawnAt)}`,
    };
  },
});

export const offerVerbs: VerbGroup = {
  name: "offer",
  summary: "On what conditions partitions are lent (lender)",
  verbs: [set, list, withdraw],
};

function offerText(offer: OfferView): string {
  const [core = "", memory = "", disk = "", flat = ""] = pricesOf(offer);
  const { currency } = offer.tariff;
  return facts([
    ["offer", offer.offerId],
    ["partition", `${offer.host.name}/${offer.partition.name}`],
    ["per core and hour", `${core} ${currency}`],
    ["per GiB of memory and hour", `${memory} ${currency}`],
    ["per GiB of disk and hour", `${disk} ${currency}`],
    ["per hour", `${flat} ${currency}`],
    ["lease", leaseRange(offer)],
  ]);
}

function pricesOf({ tariff }: OfferView): string[] {
  return [
    tariff.priceMicrosPerCoreHour,
    tariff.priceMicrosPerMemoryGibHour,
    tariff.priceMicrosPerDiskGibHour,
    tariff.priceMicrosPerHour,
  ].map((micros) => formatMoneyMicros(BigInt(micros)));
}

function leaseRange({ leaseSecondsMin, leaseSecondsMax }: OfferView): string {
  return `${formatDurationSeconds(leaseSecondsMin)} to ${formatDurationSeconds(leaseSecondsMax)}`;
}
