import { Option } from "commander";
import type { SentBody } from "../../api/contract/contract.ts";
import { parseMoneyMicros } from "../../unit/money.ts";
import { InputError, parseInstant } from "../../unit/quantity.ts";
import { type Labels, labelOption } from "./condition.ts";
import { duration, price, quantity } from "./quantity.ts";
import { sizeOptions } from "./size.ts";

export interface RequirementInput {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  readonly os: string;
  readonly for: number;
  readonly start?: string;
  readonly shared?: true;
  readonly count: number;
  readonly label?: Labels;
  readonly internet?: true;
  readonly architecture?: "x86_64" | "aarch64";
  readonly maxPrice?: bigint;
  readonly maxCost?: bigint;
}

/** What a client wants, as typed; the same for `search` and `lease create`. */
export function requirementOptions(): Option[] {
  return [
    ...sizeOptions("what you need").map((option) => option.makeOptionMandatory()),
    new Option("--os <name>", "operating system, like small-linux").makeOptionMandatory(),
    duration("--for <time>", "for how long, like 90m or 2h").makeOptionMandatory(),
    new Option("--start <time>", "from when: now+2h, or 2027-01-31T08:00Z").default("now"),
    new Option("--shared", "a part of cores shared with other partitions, paid by use"),
    quantity("--count <number>", "so many partitions, all at once or none", readCount).default(1),
    labelOption("only what has this label, like region=eu"),
    new Option("--internet", "only where guests may reach the internet"),
    new Option("--architecture <name>", "only such machines").choices(["x86_64", "aarch64"]),
    price("--max-price <price>", "the most all may cost per hour, like 0.10/h"),
    quantity("--max-cost <amount>", "the most all may cost in all, like 1.00", parseMoneyMicros),
  ];
}

function readCount(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new InputError(`"${text}" is not a number of partitions; write it like 3`);
}

export function requirementOf(input: RequirementInput, now: Date): SentBody<"search"> {
  const { start = "now", maxPrice, maxCost } = input;
  const instant = parseInstant(start, now);
  return {
    size: { cpuMilli: input.cpu, memoryBytes: input.memory, diskBytes: input.disk },
    cpuMode: input.shared ? "shared" : "dedicated",
    count: input.count,
    labels: input.label ?? {},
    internet: input.internet ?? false,
    os: input.os,
    // A plain `now` is the server's now: clocks differ.
    start: start.trim() === "now" ? null : instant.toISOString(),
    durationSeconds: input.for,
    ...(input.architecture ? { architecture: input.architecture } : {}),
    ...(maxPrice === undefined ? {} : { maxPerHourMicros: String(maxPrice) }),
    ...(maxCost === undefined ? {} : { maxTotalMicros: String(maxCost) }),
  };
}
