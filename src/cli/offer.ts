import { Option } from "commander";
import type { SentBody } from "../api/contract/contract.ts";
import { InputError } from "../unit/quantity.ts";
import type { WeekWindow } from "../unit/week.ts";
import { connect } from "./connect.ts";
import { connectFor } from "./naming/connect-for.ts";
import { offerTable, offerText } from "./offer-text.ts";
import { type Labels, labelOption, namesOption, windowOption } from "./option/condition.ts";
import { duration, price } from "./option/quantity.ts";
import { completeSize, isTyped, sizeOptions } from "./option/size.ts";
import { instant } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

interface SetInput {
  readonly host: string;
  readonly name?: string;
  readonly priceCore: bigint;
  readonly priceSharedCore: bigint;
  readonly priceMemory: bigint;
  readonly priceDisk: bigint;
  readonly priceFlat: bigint;
  readonly minLease: number;
  readonly maxLease: number;
  readonly window?: readonly WeekWindow[];
  readonly timeZone: string;
  readonly only?: readonly string[];
  readonly except?: readonly string[];
  readonly label?: Labels;
  readonly internet?: true;
  readonly carve?: true;
  readonly shared?: true;
  readonly maxCpu?: number;
  readonly maxMemory?: number;
  readonly maxDisk?: number;
}

const set = verb<SetInput>({
  usage: "set <host> [name]",
  summary: "Offer a partition, or what may be carved from a host, on these conditions from now on.",
  examples: [
    "sublet offer set attic guest --price-core 0.10/h --price-memory 0.01/h --price-disk 0.001/h",
    "sublet offer set attic guest --price-flat 0.05/h --min-lease 10m --max-lease 7d",
    'sublet offer set attic guest --price-core 0.10/h --window "mon-fri 20:00-06:00" --time-zone Europe/Berlin --label region=eu',
    "sublet offer set attic guest --price-shared-core 0.08/h --only study,acme",
    "sublet offer set attic --carve --max-cpu 8 --max-memory 16GiB --max-disk 100GiB --price-core 0.10/h",
  ],
  more: "Leases that exist keep the terms that they were booked on. With --carve partitions are made on\nrequest, to the size that is wanted, and are gone when their lease ends.",
  options: [
    price("--price-core <price>", "per dedicated core and hour").default(0n, "0/h"),
    price("--price-shared-core <price>", "per hour of a shared core that is used").default(
      0n,
      "0/h",
    ),
    price("--price-memory <price>", "per GiB of memory and hour").default(0n, "0/h"),
    price("--price-disk <price>", "per GiB of disk and hour").default(0n, "0/h"),
    price("--price-flat <price>", "per hour, whatever the size").default(0n, "0/h"),
    duration("--min-lease <time>", "the shortest lease").default(60, "1m"),
    duration("--max-lease <time>", "the longest lease").default(30 * 86_400, "30d"),
    windowOption(),
    new Option("--time-zone <name>", "of the windows, like Europe/Berlin").default("UTC"),
    namesOption("--only <parties>", "nobody but these may borrow, like study,acme").conflicts(
      "except",
    ),
    namesOption("--except <parties>", "everybody but these may borrow").conflicts("only"),
    labelOption("what clients may look for, like region=eu"),
    new Option("--internet", "guests may reach the internet"),
    new Option("--carve", "what may be carved from the host, in place of a partition"),
    new Option("--shared", "with --carve: shared cpu, in place of cores of their own"),
    ...sizeOptions("with --carve, the most that is carved at once", "max-"),
  ],
  run: async (context, input) => {
    const { host, name, carve } = input;
    const max = { cpu: input.maxCpu, memory: input.maxMemory, disk: input.maxDisk };
    if (carve ? name !== undefined : name === undefined) {
      throw new InputError(
        "say which: a partition, sublet offer set HOST NAME, or what may be carved, sublet offer set HOST --carve",
      );
    }
    if (!carve && (isTyped(max) || input.shared)) {
      throw new InputError("--max-cpu, --max-memory, --max-disk and --shared go with --carve");
    }
    const { client } = await connect(context);
    const conditions = conditionsOf(input);
    const offer =
      name === undefined
        ? await client.call("setCarveOffer", {
            params: { host },
            body: {
              ...conditions,
              cpuMode: input.shared ? "shared" : "dedicated",
              max: completeSize(max, undefined, "max-"),
            },
          })
        : await client.call("setOffer", { params: { host, name }, body: conditions });
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
    return { json: found, text: offerTable(context, found.offers) };
  },
});

const withdraw = verb<{ id: string }>({
  usage: "withdraw <id>",
  summary: "Take no new leases on these conditions; those that exist go on.",
  examples: ["sublet offer withdraw offer_01k9…"],
  run: async (context, { id }) => {
    const { client, id: offerId } = await connectFor(context, "offer", id);
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

function conditionsOf(input: SetInput): SentBody<"setOffer"> {
  const { only, except, window = [] } = input;
  return {
    priceMicrosPerCoreHour: String(input.priceCore),
    priceMicrosPerSharedCoreHour: String(input.priceSharedCore),
    priceMicrosPerMemoryGibHour: String(input.priceMemory),
    priceMicrosPerDiskGibHour: String(input.priceDisk),
    priceMicrosPerHour: String(input.priceFlat),
    leaseSecondsMin: input.minLease,
    leaseSecondsMax: input.maxLease,
    windows: window.map(({ days, from, to }) => ({ days: [...days], from, to })),
    timeZone: input.timeZone,
    borrowers: only
      ? { who: "only", parties: [...only] }
      : except
        ? { who: "except", parties: [...except] }
        : { who: "everyone" },
    labels: input.label ?? {},
    internet: input.internet ?? false,
  };
}
