import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { Response, SentBody } from "../api/contract/contract.ts";
import type { LeaseView } from "../api/contract/view.ts";
import { isId, type LeaseId, newId, type OfferId } from "../unit/id.ts";
import { InputError } from "../unit/quantity.ts";
import { type Booking, findUnanswered, forgetBooking, rememberBooking } from "./config/booking.ts";
import { confirm } from "./confirm.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { followLease } from "./follow-lease.ts";
import { leaseText } from "./lease-text.ts";
import { chooseId, readBeginning } from "./naming/resolve-id.ts";
import { namesOption } from "./option/condition.ts";
import { readId } from "./option/id.ts";
import { type RequirementInput, requirementOf, requirementOptions } from "./option/requirement.ts";
import { progress } from "./output/progress.ts";
import { money, placeText, sizeText } from "./output/words.ts";
import { chosenKey } from "./ssh/key.ts";
import { untilAnswered } from "./until-answered.ts";
import { verb } from "./verb.ts";

interface CreateInput extends RequirementInput {
  readonly offer?: string;
  readonly id?: readonly string[];
  readonly sshKey?: string;
  readonly wait?: true;
  readonly yes?: true;
}
type BookBody = SentBody<"bookLease">;

export const leaseCreateVerb = verb<CreateInput>({
  usage: "create",
  summary: "Book a partition that meets what you need, or several at once.",
  examples: [
    "sublet lease create --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 10m --wait --yes",
    "sublet lease create --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 2h --max-cost 1.00",
    "sublet lease create --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 2h --count 3 --label region=eu",
  ],
  more: "Asks before it books, unless --yes is given. A booking whose answer was lost is repeated under\nthe same id when you type the same again. With --count all are booked or none, and --json gives them\nas a list under `leases`.",
  options: [
    ...requirementOptions(),
    new Option("--offer <id>", "this offer of those that `sublet search` shows"),
    namesOption("--id <ids>", "book under this id, or with --count under these, like ID,ID"),
    new Option("--ssh-key <file>", "your own public key (FILE.pub) in place of one made for you"),
    new Option("--wait", "until it is ready"),
    new Option("--yes", "book without asking"),
  ],
  run: async (context, input) => {
    const connection = await connect(context);
    const { client } = connection;
    const { remember, ...key } = await chosenKey(context, connection.profileName, input.sshKey);
    const booking = await bookingOf(context, client, input, key.sshPublicKey);
    const leases = await book(context, client, booking);
    for (const leaseId of booking.leaseIds) await remember(leaseId);
    const last: LeaseView[] = [];
    for (const lease of leases) {
      last.push(input.wait ? await ready(context, client, lease.leaseId) : lease);
    }
    const text = last.map(leaseText).join("\n\n");
    return { json: last.length === 1 ? last[0] : { leases: last }, text };
  },
});

/** What is sent: the same as before, when that had no answer, else a booking of its own. */
async function bookingOf(
  context: Context,
  client: Client,
  input: CreateInput,
  sshPublicKey: string,
): Promise<Booking<BookBody>> {
  const now = context.clock.now();
  const requirement = requirementOf(input, now);
  const chosen =
    input.offer === undefined ? {} : { offerId: await offerOf(client, requirement, input.offer) };
  const typedIds = input.id?.map((id) => readId("lease", id));
  if (typedIds && typedIds.length !== input.count) {
    throw new InputError(`--id: ${input.count} partitions need as many ids, separated by commas`);
  }
  const start = input.start ?? "now";
  const typed = { requirement: { ...requirement, start }, ...chosen, sshPublicKey };
  const same = { url: client.url, typed };
  if (typedIds === undefined) {
    const lost = await findUnanswered<BookBody>(context.environment.configFolder, same, now);
    if (lost) {
      progress(context).line(`asking again for ${lost.leaseIds.join(", ")}, whose answer was lost`);
      return lost;
    }
  }
  const agreed = input.yes ? chosen : await agree(context, client, requirement, chosen.offerId);
  const body = { requirement, ...agreed, sshPublicKey };
  const ownIds = () => Array.from({ length: input.count }, () => newId("lease", now.getTime()));
  return { ...same, leaseIds: typedIds ?? ownIds(), body };
}

/** Clients list no offers: what they may have seen is what a search shows. */
async function offerOf(
  client: Client,
  requirement: BookBody["requirement"],
  typed: string,
): Promise<OfferId> {
  if (isId("offer", typed)) return typed;
  const beginning = readBeginning("offer", typed);
  const { matches, mismatches } = await client.call("search", { body: requirement });
  const seen = new Set([...matches, ...mismatches].map(({ offerId }) => offerId));
  return chooseId("offer", beginning, [...seen]);
}

/** Shows the best match and asks. What is agreed to is this offer at this price and no other. */
async function agree(
  context: Context,
  client: Client,
  requirement: BookBody["requirement"],
  offerId: BookBody["offerId"],
): Promise<Pick<BookBody, "offerId" | "agreedTotalMicros">> {
  const found = await client.call("search", { body: requirement });
  const { matches, mismatches } = found;
  if ((requirement.count ?? 1) > 1) {
    return { ...(offerId ? { offerId } : {}), ...(await agreeToAll(context, found)) };
  }
  const match = matches.find((one) => offerId === undefined || one.offerId === offerId);
  if (match === undefined) throw noMatch(mismatches);
  const most = money(match.quote.totalMicros, match.tariff.currency);
  const question = `${placeText(match)} of ${match.lender.name}: ${sizeText(match.size)}, ${match.image.name} ${match.image.version}, at most ${most}. Book it?`;
  if (!(await confirm(context, question))) {
    throw new CliError(
      "not-confirmed",
      "nothing was booked; answer y, or type --yes, when it shall be",
    );
  }
  return { offerId: match.offerId, agreedTotalMicros: match.quote.totalMicros };
}

/** Of several what is agreed to is the price of all together. */
async function agreeToAll(
  context: Context,
  { together, mismatches }: Response<"search">,
): Promise<Pick<BookBody, "agreedTotalMicros">> {
  const { matches, wanted, totalMicros } = together;
  const [first] = matches;
  if (matches.length < wanted || !first) throw noMatch(mismatches, matches.length, wanted);
  const places = matches.map(placeText).join(", ");
  const most = money(totalMicros, first.tariff.currency);
  const question = `${places}: ${sizeText(first.size)} each, ${first.image.name} ${first.image.version}, at most ${most} in all. Book them?`;
  if (!(await confirm(context, question))) {
    throw new CliError(
      "not-confirmed",
      "nothing was booked; answer y, or type --yes, when it shall be",
    );
  }
  return { agreedTotalMicros: totalMicros };
}

/** The id is stored before it is sent: whatever happens now, asking again is one lease. */
async function book(
  context: Context,
  client: Client,
  booking: Booking<BookBody>,
): Promise<readonly LeaseView[]> {
  const { leaseIds, body } = booking;
  const [leaseId] = leaseIds;
  const { configFolder } = context.environment;
  await rememberBooking(configFolder, booking, context.clock.now());
  try {
    const leases = await untilAnswered(
      context,
      async () => {
        if (leaseId !== undefined && leaseIds.length === 1) {
          return [await client.call("bookLease", { params: { leaseId }, body })];
        }
        const many = { ...body, leaseIds: [...leaseIds] };
        return (await client.call("bookLeases", { body: many })).leases;
      },
      { id: leaseIds.join(","), again: "the same command" },
    );
    await forgetBooking(configFolder, leaseId);
    return leases;
  } catch (error) {
    // A refusal is an answer. After a failure of the server the lease may exist.
    const { httpStatus } = error as { httpStatus?: number };
    if (httpStatus !== undefined && httpStatus < 500) await forgetBooking(configFolder, leaseId);
    throw error;
  }
}

async function ready(context: Context, client: Client, leaseId: LeaseId): Promise<LeaseView> {
  const over = ({ state }: LeaseView) => state === "ending" || state === "ended";
  const lease = await followLease(
    context,
    client,
    leaseId,
    (now) => now.access !== null || over(now),
  );
  if (over(lease)) throw endedOtherwise(lease);
  return lease;
}

function noMatch(mismatches: Response<"search">["mismatches"], found = 0, wanted = 1): CliError {
  const reasons = mismatches.flatMap((mismatch) =>
    mismatch.reasons.map(({ message }) => `${placeText(mismatch)}: ${message}`),
  );
  if (wanted > 1) reasons.unshift(`${found} of ${wanted} can be had at once`);
  const why = reasons.join("; ") || "nothing is on offer";
  return new CliError("no-match", `nothing on offer meets this: ${why}; ask for less or later`, {
    reasons,
  });
}

function endedOtherwise(lease: LeaseView): CliError {
  const { leaseId, state, outcome, reason } = lease;
  return new CliError(
    "lease-ended",
    `${leaseId} did not become ready: it is ${outcome ?? state}${reason ? ` (${reason})` : ""}; \`sublet lease show ${leaseId}\` tells what happened`,
    { leaseId, state, outcome, reason },
  );
}
