import { Argument } from "commander";
import type { Response } from "../../api/contract/contract.ts";
import {
  CAPACITY_RESOURCES,
  type CapacityResource,
  useText,
} from "../../enablement/capacity/resource.ts";
import type { CapacityTerms } from "../../enablement/capacity/terms.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { formatDurationSeconds } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import { facts } from "../output/table.ts";
import { verb } from "../verb.ts";
import { mergeTerms, type TypedTerms, termsOptions } from "./terms-options.ts";
import { periodText, ruleText } from "./text.ts";

type ShownTerms = Response<"listCapacityTerms">["terms"];

/** The names of all that can be typed of them. */
const TERMS = termsOptions().map((option) => option.attributeName() as keyof TypedTerms);

export const terms = verb<{ resource?: CapacityResource } & TypedTerms>({
  usage: "terms",
  summary: "Show on what terms you sell standby capacity, or change them (provider).",
  examples: [
    "sublet capacity terms",
    "sublet capacity terms cpu --price 0.12/h --overdraft-price 0.24/h --period month:Europe/Berlin",
    "sublet capacity terms memory --price 0.02/h --increment 1m --rounding up --valid 90d",
    "sublet capacity terms cpu --threshold rate:60s --on-exhaustion reclaim:10m --return-means ask,repin",
  ],
  more: "What is not typed stays. Codes keep the terms that they were issued on.",
  arguments: [new Argument("[resource]", "of which").choices(CAPACITY_RESOURCES)],
  options: termsOptions(),
  run: async (context, { resource, ...input }) => {
    const isChange = TERMS.some((name) => input[name] !== undefined);
    const wanted = resource ?? "cpu";
    const { client } = await connect(context);
    const all = await client.call("listCapacityTerms");
    if (!isChange) {
      const found = all.terms.filter((one) => resource === undefined || one.resource === resource);
      return { json: { terms: found }, text: termsText(found) };
    }
    const before = all.terms.find((one) => one.resource === wanted)?.terms;
    const body = mergeTerms(wanted, input, before);
    const set = await client.call("setCapacityTerms", { params: { resource: wanted }, body });
    return { json: set, text: termsText([set]) };
  },
});

function termsText(all: ShownTerms): string {
  if (all.length === 0)
    return "you sell nothing yet; begin with `sublet capacity terms cpu --price 0.10/h`";
  return all.map(({ resource, terms: one }) => oneText(resource, one)).join("\n\n");
}

function oneText(resource: CapacityResource, of: CapacityTerms): string {
  const unit = resource === "cpu" ? "core-hour" : "GiB-hour";
  const cost = (micros: string) => `${formatMoneyMicros(BigInt(micros))} a ${unit}`;
  const { reporting, exhaustion } = of;
  const grace = formatDurationSeconds(exhaustion.graceSeconds);
  return facts([
    ["resource", resource],
    ["price", cost(of.priceMicrosPerHour)],
    ["overdraft", cost(of.overdraftPriceMicrosPerHour)],
    ["unreturned", cost(of.unreturnedPriceMicrosPerHour)],
    ["billed", of.increment === "1" ? "exactly" : `in ${stepText(resource, of)}`],
    ["periods", periodText(of.billingPeriod)],
    ...(resource === "cpu" ? ([["threshold", ruleText(of.threshold)]] as const) : []),
    ["a code lasts", formatDurationSeconds(of.validSeconds)],
    [
      "reports",
      `due after ${formatDurationSeconds(reporting.reportAfterSeconds)} or ${useText(resource, BigInt(reporting.reportLimit))}; taken back ${formatDurationSeconds(reporting.graceSeconds)} later`,
    ],
    [
      "when used up",
      exhaustion.policy === "reclaim"
        ? `taken back after ${grace}`
        : "nothing new; what runs goes on",
    ],
    ["warning", `when what is left lasts for ${formatDurationSeconds(exhaustion.warnSeconds)}`],
    ["return by", of.returnMeans.join(", ")],
  ]);
}

function stepText(resource: CapacityResource, { increment, rounding }: CapacityTerms): string {
  return `steps of ${useText(resource, BigInt(increment))}, the last one rounded ${rounding}`;
}
