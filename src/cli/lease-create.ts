import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { Response, SentBody } from "../api/contract/contract.ts";
import type { LeaseView } from "../api/contract/view.ts";
import { type LeaseId, newId } from "../unit/id.ts";
import { type Booking, findUnanswered, forgetBooking, rememberBooking } from "./config/booking.ts";
import { confirm } from "./confirm.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { followLease } from "./follow-lease.ts";
import { leaseText } from "./lease-text.ts";
import { readId } from "./option/id.ts";
import { type RequirementInput, requirementOf, requirementOptions } from "./option/requirement.ts";
import { progress } from "./output/progress.ts";
import { money, sizeText } from "./output/words.ts";
import { chosenKey } from "./ssh/key.ts";
import { untilAnswered } from "./until-answered.ts";
import { verb } from "./verb.ts";

interface CreateInput extends RequirementInput {
  readonly offer?: string;
  readonly id?: string;
  readonly sshKey?: string;
  readonly wait?: true;
  readonly yes?: true;
}
type BookBody = SentBody<"bookLease">;

export const leaseCreateVerb = verb<CreateInput>({
  usage: "create",
  summary: "Book a partition that meets what you need.",
  examples: [
    "sublet lease create --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 10m --wait --yes",
    "sublet lease create --cpu 1 --memory 256MiB --disk 1GiB --os small-linux --for 2h --max-cost 1.00",
  ],
  more: "Asks before it books, unless --yes is given. A booking whose answer was lost is repeated under\nthe same id when you type the same again.",
  options: [
    ...requirementOptions(),
    new Option("--offer <id>", "this offer of those that `sublet search` shows"),
    new Option("--id <id>", "book under this id; the same id is booked once"),
    new Option("--ssh-key <file>", "your own public key (FILE.pub) in place of one made for you"),
    new Option("--wait", "until it is ready"),
    new Option("--yes", "book without asking"),
  ],
  run: async (context, input) => {
    const connection = await connect(context);
    const { client } = connection;
    const { remember, ...key } = await chosenKey(context, connection.profileName, input.sshKey);
    const booking = await bookingOf(context, client, input, key.sshPublicKey);
    const lease = await book(context, client, booking);
    await remember(booking.leaseId);
    const last = input.wait ? await ready(context, client, booking.leaseId) : lease;
    return { json: last, text: leaseText(last) };
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
  const chosen = input.offer === undefined ? {} : { offerId: readId("offer", input.offer) };
  const leaseId = input.id === undefined ? undefined : readId("lease", input.id);
  const start = input.start ?? "now";
  const typed = { requirement: { ...requirement, start }, ...chosen, sshPublicKey };
  const same = { url: client.url, typed };
  if (leaseId === undefined) {
    const lost = await findUnanswered<BookBody>(context.environment.configFolder, same, now);
    if (lost) {
      progress(context).line(`asking again for ${lost.leaseId}, whose answer was lost`);
      return lost;
    }
  }
  const agreed = input.yes ? chosen : await agree(context, client, requirement, chosen.offerId);
  const body = { requirement, ...agreed, sshPublicKey };
  return { ...same, leaseId: leaseId ?? newId("lease", now.getTime()), body };
}

/** Shows the best match and asks. What is agreed to is this offer at this price and no other. */
async function agree(
  context: Context,
  client: Client,
  requirement: BookBody["requirement"],
  offerId: BookBody["offerId"],
): Promise<Pick<BookBody, "offerId" | "agreedTotalMicros">> {
  const { matches, mismatches } = await client.call("search", { body: requirement });
  const match = matches.find((one) => offerId === undefined || one.offerId === offerId);
  if (match === undefined) throw noMatch(mismatches);
  const most = money(match.quote.totalMicros, match.tariff.currency);
  const question = `${match.host.name}/${match.partition.name} of ${match.lender.name}: ${sizeText(match.size)}, ${match.image.name} ${match.image.version}, at most ${most}. Book it?`;
  if (!(await confirm(context, question))) {
    throw new CliError("not-confirmed", "nothing was booked");
  }
  return { offerId: match.offerId, agreedTotalMicros: match.quote.totalMicros };
}

/** The id is stored before it is sent: whatever happens now, asking again is one lease. */
async function book(
  context: Context,
  client: Client,
  booking: Booking<BookBody>,
): Promise<Response<"bookLease">> {
  const { leaseId, body } = booking;
  const { configFolder } = context.environment;
  await rememberBooking(configFolder, booking, context.clock.now());
  try {
    const lease = await untilAnswered(
      context,
      () => client.call("bookLease", { params: { leaseId }, body }),
      { id: leaseId, again: "the same command" },
    );
    await forgetBooking(configFolder, leaseId);
    return lease;
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

function noMatch(mismatches: Response<"search">["mismatches"]): CliError {
  const reasons = mismatches.flatMap(({ host, partition, reasons }) =>
    reasons.map(({ message }) => `${host.name}/${partition.name}: ${message}`),
  );
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
