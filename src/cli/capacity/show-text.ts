import type { ShownCapacity } from "../../agent/capacity/show.ts";
import {
  type CapacityResource,
  quantityText,
  useText,
} from "../../enablement/capacity/resource.ts";
import { formatBytes, formatDurationSeconds } from "../../unit/quantity.ts";
import type { Context } from "../context.ts";
import { facts, table } from "../output/table.ts";
import { coresText, instant } from "../output/words.ts";
import { thresholdText } from "./text.ts";

export type ShownService = ShownCapacity["services"][number];

export function capacityText(context: Context, shown: ShownCapacity): string {
  const { accounts, services, shared, outlooks, unreported, warnings } = shown;
  const accountRows = accounts.map((one) => [
    one.codeId,
    quantityText(one.resource, one.quantity),
    useText(one.resource, BigInt(one.resourceTime)),
    useText(one.resource, BigInt(one.debited)),
    leftText(one),
    `${instant(one.validity.end)}${one.isValid && one.isTrusted ? "" : " (not in force)"}${one.lentAt === null ? "" : " (lent)"}`,
  ]);
  const serviceRows = services.map((one) => [
    one.serviceId,
    one.partition ?? "the pool",
    quantityText(one.resource, one.quantity),
    one.cores.length > 0 ? coresText(one.cores) : "-",
    one.state,
    instant(one.wantedAt),
  ]);
  const sharedRows = shared.map((one) => [
    one.partition,
    thresholdText(one.threshold),
    useText("cpu", BigInt(one.used)),
    BigInt(one.excess) > 0n ? useText("cpu", BigInt(one.excess)) : "nothing",
    instant(one.period.end),
  ]);
  const parts = [
    table(context, ["CODE", "AT ONCE", "IN ALL", "USED", "LEFT", "VALID UNTIL"], accountRows),
    table(context, ["SERVICE", "FOR", "WHAT", "CORES", "STATE", "SINCE"], serviceRows),
    ...(sharedRows.length > 0
      ? [table(context, ["SHARED", "WITHOUT CHARGE", "USED", "ABOVE", "PERIOD ENDS"], sharedRows)]
      : []),
    facts([...outlooks.map(outlookFact), ...unreported.flatMap(unreportedFacts)]),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  return accounts.length === 0 ? emptyText(parts.at(-1)) : parts.filter(Boolean).join("\n\n");
}

/** What is kept for leases is the owner's, and not to be had meanwhile. */
function leftText({ resource, left, reserved }: ShownCapacity["accounts"][number]): string {
  const all = useText(resource, BigInt(left));
  return reserved === "0" ? all : `${all}, ${useText(resource, BigInt(reserved))} reserved`;
}

function emptyText(warning = ""): string {
  const told = "no code was accepted yet; ask for one with `sublet capacity request`";
  return warning.startsWith("warning:") ? `${told}\n${warning}` : told;
}

type Outlook = ShownCapacity["outlooks"][number];

function outlookFact({ resource, burn, runsOutInSeconds }: Outlook): readonly [string, string] {
  if (runsOutInSeconds === null) return [resource, "nothing is counted now"];
  const seconds = Math.floor(runsOutInSeconds);
  const left = seconds === 0 ? "used up" : `used up in ${forecast(seconds)}`;
  return [resource, `${rate(resource, burn)} counted now; ${left}`];
}

function rate(resource: CapacityResource, burn: number): string {
  if (resource === "memory") return formatBytes(burn);
  return `${(burn / 1000).toFixed(2)} cores`;
}

/** To the hour over a day, to the minute over an hour: it is a forecast. */
function forecast(seconds: number): string {
  const step = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 1;
  return formatDurationSeconds(Math.floor(seconds / step) * step);
}

type Unreported = ShownCapacity["unreported"][number];

function unreportedFacts(one: Unreported): (readonly [string, string])[] {
  const open = one.resources.filter(({ since }) => since !== null);
  const used = open.map(({ resource, quantity, since, overdueSince }) => {
    const overdue = overdueSince === null ? "" : `; overdue since ${instant(overdueSince)}`;
    return `${useText(resource, BigInt(quantity))} of ${resource}, since ${instant(since ?? "")}${overdue}`;
  });
  const rest = `${used.length === 0 ? "no use and " : ""}${one.acts} acts for ${one.providerId}`;
  return [...used, rest].map((text) => ["unreported", text] as const);
}
