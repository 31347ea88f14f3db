import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatDurationSeconds } from "../unit/quantity.ts";
import { RESOURCES, type Size } from "../unit/size.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { type RequirementInput, requirementOf, requirementOptions } from "./option/requirement.ts";
import { table } from "./output/table.ts";
import { amountText, instant, money, placeText, sizeText } from "./output/words.ts";
import { verb } from "./verb.ts";

type Found = Response<"search">;

export const searchVerb = verb<RequirementInput>({
  usage: "search",
  summary:
    "Show what is on offer for what you need, cheapest first, why the rest is not, and what there is instead.",
  examples: [
    "sublet search --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 10m",
    "sublet search --cpu 2 --memory 1GiB --disk 8GiB --os small-linux --for 2h --start now+2h --max-price 0.10/h",
    "sublet search --cpu 0.5 --shared --memory 256MiB --disk 1GiB --os small-linux --for 2h",
    "sublet search --cpu 1 --memory 1GiB --disk 8GiB --os small-linux --for 2h --count 3 --label region=eu",
  ],
  options: requirementOptions(),
  run: async (context, input) => {
    const body = requirementOf(input, context.clock.now());
    const { client } = await connect(context);
    const found = await client.call("search", { body });
    return { json: found, text: searchText(context, found, sizeOf(input)) };
  },
});

function sizeOf({ cpu, memory, disk }: RequirementInput): Size {
  return { cpuMilli: cpu, memoryBytes: memory, diskBytes: disk };
}

function searchText(context: Context, found: Found, wanted: Size): string {
  const { matches, mismatches } = found;
  const rows = matches.map((match) => [
    placeText(match),
    match.lender.name,
    `${sizeText(match.size)}${match.recut ? " (re-cut)" : ""}`,
    `${match.image.name} ${match.image.version}`,
    formatMoneyMicros(BigInt(match.quote.perHourMicros)),
    atMost(match),
    match.offerId,
  ]);
  const headings = ["PARTITION", "LENDER", "SIZE", "OS", "PER HOUR", "AT MOST", "OFFER"];
  const parts = [rows.length > 0 ? table(context, headings, rows) : "nothing matches"];
  if (found.together.wanted > 1) parts.push(togetherText(found));
  if (mismatches.length === 0) {
    return rows.length > 0 ? parts.join("\n\n") : "nothing matches: nothing is on offer";
  }
  return [...parts, mismatchTable(context, mismatches, wanted)].join("\n\n");
}

/** The whole, and how much of it goes by use. */
function atMost({ quote, tariff }: Found["matches"][number]): string {
  const most = money(quote.totalMicros, tariff.currency);
  if (quote.meteredMaxMicros === "0") return most;
  return `${most} (${formatMoneyMicros(BigInt(quote.meteredMaxMicros))} of it by use)`;
}

function togetherText({ together: { wanted, matches, totalMicros } }: Found): string {
  const places = matches.map(placeText).join(", ");
  const [first] = matches;
  if (matches.length < wanted || !first) {
    return `of ${wanted} at once there ${matches.length === 1 ? "is" : "are"} ${matches.length}${places && `: ${places}`}`;
  }
  return `all ${wanted} at once: ${places}; at most ${money(totalMicros, first.tariff.currency)} in all`;
}

function mismatchTable(context: Context, mismatches: Found["mismatches"], wanted: Size): string {
  const rows = mismatches.map((mismatch) => [
    placeText(mismatch),
    mismatch.reasons.map(({ message }) => message).join("; "),
    counterText(mismatch, wanted),
  ]);
  const hasCounters = mismatches.some(({ counter }) => counter !== null);
  const width = hasCounters ? 3 : 2;
  const headings = ["DOES NOT MATCH", "WHY", "INSTEAD"];
  const cut = (row: readonly string[]) => row.slice(0, width);
  return table(context, cut(headings), rows.map(cut));
}

/** `smaller: 1 core`, or `from 2027-01-01 08:00Z`. */
export function counterText(
  { counter }: Pick<Found["mismatches"][number], "counter">,
  wanted: Size,
): string {
  if (counter === null) return "-";
  if (counter.kind === "start") return `from ${instant(counter.start).replace(/:00Z$/, "Z")}`;
  if (counter.kind === "duration") return `for ${formatDurationSeconds(counter.durationSeconds)}`;
  const changed = RESOURCES.filter((resource) => counter.size[resource] !== wanted[resource]);
  const isSmaller = changed.every((resource) => counter.size[resource] < wanted[resource]);
  const isLarger = changed.every((resource) => counter.size[resource] > wanted[resource]);
  const kind = isSmaller ? "smaller" : isLarger ? "larger" : "another size";
  return `${kind}: ${changed.map((r) => amountText(r, counter.size[r])).join(", ")}`;
}
