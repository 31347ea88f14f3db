import { generateSealKeys } from "../../signature/sealed.ts";
import { newId } from "../../unit/id.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { progress } from "../output/progress.ts";
import { money } from "../output/words.ts";
import { wayWanted } from "../run-verb.ts";
import { wayIn } from "../ssh/way-in.ts";
import type { JobInput } from "./attached.ts";
import { bookFor } from "./book.ts";
import { readGets } from "./get.ts";
import { sendJob } from "./guest.ts";
import { interruptible } from "./interrupt.ts";
import { costLine, endAndSettle, ready } from "./lease.ts";
import { hushed } from "./progress.ts";
import { putEntries } from "./put.ts";
import { type RunRecord, rememberRun } from "./record.ts";

/** Room for what is fetched later, and for the end of what the command wrote. */
const KEEP_BYTES = 256 * 2 ** 20;
const KEEP_LOG_BYTES = 32 * 2 ** 20;

/**
 * Begins a job that needs nobody from then on: its guest runs it, its host ends the lease when it is
 * done and carries what it leaves to the server. This command returns once the guest has it.
 */
export async function runDetached(
  given: Context,
  input: JobInput & { readonly keep?: number },
): Promise<Outcome> {
  const context = hushed(given, input.quiet === true);
  const gets = readGets(input.get ?? []);
  const entries = await putEntries(input.put ?? [], process.cwd());
  const connection = await connect(context);
  const { client } = connection;
  const { configFolder } = context.environment;
  const runId = newId("run");
  const leaseId = newId("lease");
  const sealKeys = generateSealKeys();
  const record: RunRecord = {
    ...{ runId, leaseId, sealKeys, gets, here: process.cwd() },
    ...{ identity: input.identity ?? null, folder: null },
  };
  await rememberRun(configFolder, record);
  const bytes = input.keep ?? (gets.length > 0 ? KEEP_BYTES : KEEP_LOG_BYTES);
  const [lease] = await bookFor(context, connection, input, {
    ...{ runId, kind: "detached", command: input.command, count: 1, leaseIds: [leaseId] },
    outbox: { bytes, sealKey: sealKeys.publicKey },
  });
  if (lease === undefined) throw new Error("nothing was booked and nothing refused");
  const end = async () => {
    const settled = await endAndSettle(context, client, runId, [leaseId]);
    progress(context).line(costLine(settled, runId));
  };
  try {
    const done = await interruptible(context, input.onInterrupt, async (signal) => {
      await ready(context, client, leaseId, signal);
      const target = await wayIn(context, leaseId, input.identity, wayWanted(input));
      const sent = { name: runId, command: input.command, gets, entries };
      return sendJob(context, target, sent, "start", signal);
    });
    if (done.interrupted) {
      if (done.wish === "end") await end();
      else progress(context).line(`${leaseId} goes on: \`sublet run cancel ${runId}\` ends it`);
      return { json: { runId, leaseId, ...done }, text: "", exitCode: done.exitCode };
    }
    await rememberRun(configFolder, { ...record, folder: done.value });
  } catch (error) {
    await end().catch(() => {
      progress(given).line(`${leaseId} may still run: end it with \`sublet lease end ${leaseId}\``);
    });
    throw error;
  }
  const most = money(lease.quote.totalMicros, lease.tariff.currency);
  const text = `${runId} runs in ${leaseId}, until it is done or ${lease.period?.end ?? "its end"}, for at most ${most}

See what it writes, wait for it and fetch what it leaves, or end it:
  sublet run logs --follow ${runId}
  sublet run wait ${runId}
  sublet run cancel ${runId}`;
  return { json: { runId, leaseId, state: "running", maxMicros: lease.quote.totalMicros }, text };
}
