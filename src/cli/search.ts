import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { type RequirementInput, requirementOf, requirementOptions } from "./option/requirement.ts";
import { table } from "./output/table.ts";
import { money, sizeText } from "./output/words.ts";
import { verb } from "./verb.ts";

export const searchVerb = verb<RequirementInput>({
  usage: "search",
  summary: "Show what is on offer for what you need, cheapest first, and why the rest is not.",
  examples: [
    "sublet search --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 10m",
    "sublet search --cpu 2 --memory 1GiB --disk 8GiB --os small-linux --for 2h --start now+2h --max-price 0.10/h",
  ],
  options: requirementOptions(),
  run: async (context, input) => {
    const body = requirementOf(input, context.clock.now());
    const { client } = await connect(context);
    const found = await client.call("search", { body });
    return { json: found, text: searchText(context, found) };
  },
});

function searchText(context: Context, { matches, mismatches }: Response<"search">): string {
  const rows = matches.map((match) => [
    `${match.host.name}/${match.partition.name}`,
    match.lender.name,
    `${sizeText(match.size)}${match.recut ? " (re-cut)" : ""}`,
    `${match.image.name} ${match.image.version}`,
    formatMoneyMicros(BigInt(match.quote.perHourMicros)),
    money(match.quote.totalMicros, match.tariff.currency),
    match.offerId,
  ]);
  const headings = ["PARTITION", "LENDER", "SIZE", "OS", "PER HOUR", "AT MOST", "OFFER"];
  const found = rows.length > 0 ? table(context, headings, rows) : "nothing matches";
  if (mismatches.length === 0) {
    return rows.length > 0 ? found : "nothing matches: nothing is on offer";
  }
  const others = mismatches.map(({ host, partition, reasons }) => [
    `${host.name}/${partition.name}`,
    reasons.map(({ message }) => message).join("; "),
  ]);
  return `${found}\n\n${table(context, ["DOES NOT MATCH", "WHY"], others)}`;
}
