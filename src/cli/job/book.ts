import type { Client } from "../../api/client/client.ts";
import type { Response, SentBody } from "../../api/contract/contract.ts";
import type { LeaseView } from "../../api/contract/view.ts";
import { newId, type RunId } from "../../unit/id.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { formatDurationSeconds } from "../../unit/quantity.ts";
import { confirm } from "../confirm.ts";
import type { Connection } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { type RequirementInput, requirementOf } from "../option/requirement.ts";
import { progress } from "../output/progress.ts";
import { instant, money, placeText, sizeText } from "../output/words.ts";
import { chosenKey } from "../ssh/key.ts";
import { untilAnswered } from "../until-answered.ts";

/** What was typed of what the job needs. */
export interface JobNeeds extends Omit<RequirementInput, "disk" | "count"> {
  readonly disk?: number;
  readonly sshKey?: string;
  readonly yes?: true;
}

export interface ForRun {
  readonly runId: RunId;
  readonly kind: "attached" | "detached" | "parallel";
  readonly command: readonly string[];
  readonly count: number;
  readonly outbox?: { readonly bytes: number; readonly sealKey: string };
  /** Ids that were written down before. */
  readonly leaseIds?: readonly LeaseView["leaseId"][];
}

/** Room beside what the image itself needs, where no disk was asked for. */
const DISK_BYTES = 2 ** 30;
const COMMAND_LENGTH_MAX = 1000;

/** Finds, says what it costs, refuses what costs too much, and books: all that the run needs. */
export async function bookFor(
  context: Context,
  { client, profileName }: Connection,
  needs: JobNeeds,
  run: ForRun,
): Promise<readonly LeaseView[]> {
  const { remember, sshPublicKey } = await chosenKey(context, profileName, needs.sshKey);
  const disk = (needs.disk ?? (await diskFor(client, needs.os))) + (run.outbox?.bytes ?? 0);
  const { maxCost, ...wanted } = needs;
  const requirement = requirementOf({ ...wanted, disk, count: run.count }, context.clock.now());
  const found = await client.call("search", { body: requirement });
  const agreed = await agree(context, needs, found, maxCost);
  const leaseIds = run.leaseIds ?? Array.from({ length: run.count }, () => newId("lease"));
  const { runId, kind, outbox } = run;
  const command = shown(run.command);
  const body: SentBody<"bookLeases"> = {
    ...{ requirement, sshPublicKey, leaseIds: [...leaseIds] },
    ...agreed,
    run: { runId, kind, command, ...(outbox ? { outbox: { ...outbox } } : {}) },
  };
  const about = { id: runId, again: "`sublet run list`, and the same command if it is not there" };
  const request = () => client.call("bookLeases", { body });
  const { leases } = await untilAnswered(context, request, about);
  for (const { leaseId } of leases) await remember(leaseId);
  return leases;
}

function shown(command: readonly string[]): string {
  const text = command.join(" ");
  return text.length > COMMAND_LENGTH_MAX ? `${text.slice(0, COMMAND_LENGTH_MAX - 1)}…` : text;
}

/** The image's own disk and room for work; an image that is booted by its kernel has none. */
async function diskFor(client: Client, os: string): Promise<number> {
  const { images } = await client.call("listImages");
  const [name, version] = os.split("@");
  const ofName = images.filter(({ manifest }) => manifest.name === name);
  const image = ofName.find(({ manifest }) => manifest.version === version) ?? ofName.at(-1);
  return (image?.manifest.diskBytesMin ?? 0) + DISK_BYTES;
}

/** What is agreed to is this price and no other. */
async function agree(
  context: Context,
  needs: JobNeeds,
  { together, mismatches }: Response<"search">,
  maxCost: bigint | undefined,
): Promise<{ agreedTotalMicros: string }> {
  const { matches, wanted, totalMicros, perHourMicros } = together;
  const [first] = matches;
  if (matches.length < wanted || first === undefined) throw noMatch(mismatches, together);
  const { currency } = first.tariff;
  const total = BigInt(totalMicros);
  if (maxCost !== undefined && total > maxCost) throw tooDear(needs, total, maxCost, currency);
  const places = matches.map(placeText).join(", ");
  const each = `${sizeText(first.size)}${wanted > 1 ? " each" : ""}`;
  const price = `${money(perHourMicros, currency)}/h, at most ${money(totalMicros, currency)}`;
  const quote = `${places}: ${each}, ${first.image.name} ${first.image.version}, ${price}`;
  if (maxCost === undefined && !needs.yes) {
    if (!(await confirm(context, `${quote}. Book it?`))) {
      throw new CliError("not-confirmed", "nothing was booked");
    }
  } else {
    progress(context).line(quote);
  }
  return { agreedTotalMicros: totalMicros };
}

/** The cheapest that there is, and how long of it the limit pays for. */
function tooDear(needs: JobNeeds, total: bigint, limit: bigint, currency: string): CliError {
  const seconds = Number((limit * BigInt(needs.for)) / total);
  const cost = `${formatMoneyMicros(total)} ${currency}`;
  const most = `${formatMoneyMicros(limit)} ${currency}`;
  const minutes = Math.floor(seconds / 60);
  const shorter = minutes > 0 ? `ask for less time (--for ${minutes}m costs less than that), ` : "";
  return new CliError(
    "cost-above-limit",
    `the cheapest that meets this costs up to ${cost} for ${formatDurationSeconds(needs.for)}, and ${most} was the limit; ${shorter}raise --max-cost or ask for a smaller size; nothing was booked`,
    {
      costMicros: total.toString(),
      limitMicros: limit.toString(),
      counter: { costMicros: total.toString(), forSecondsWithinLimit: seconds },
    },
  );
}

function noMatch(
  mismatches: Response<"search">["mismatches"],
  { matches, wanted }: Response<"search">["together"],
): CliError {
  const reasons = mismatches.map((mismatch) => {
    const why = mismatch.reasons.map(({ message }) => message).join(", ");
    const { counter } = mismatch;
    const instead =
      counter === null
        ? ""
        : counter.kind === "size"
          ? ` (it could be ${sizeText(counter.size)})`
          : counter.kind === "duration"
            ? ` (it could be for ${formatDurationSeconds(counter.durationSeconds)})`
            : ` (it could be from ${instant(counter.start)})`;
    return `${placeText(mismatch)}: ${why}${instead}`;
  });
  if (wanted > 1) reasons.unshift(`${matches.length} of ${wanted} can be had at once`);
  const why = reasons.join("; ") || "nothing is on offer";
  return new CliError("no-match", `nothing on offer meets this: ${why}; ask for less or later`, {
    reasons,
  });
}

/** What a job must say of what it needs; an existing lease has it all. */
export function checkNeeds(input: {
  cpu?: number;
  memory?: number;
  os?: string;
  for?: number;
}): void {
  const absent = (["cpu", "memory", "os", "for"] as const).filter((n) => input[n] === undefined);
  if (absent.length === 0) return;
  throw new CliError(
    "lease-needed",
    `say where to run it with --lease ID; book a lease first with \`sublet lease create\`, or have one booked for it with ${absent.map((name) => `--${name}`).join(", ")}`,
  );
}
