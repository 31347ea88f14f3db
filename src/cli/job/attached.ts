import { rm } from "node:fs/promises";
import type { LeaseView } from "../../api/contract/view.ts";
import { newId, type RunId } from "../../unit/id.ts";
import { type Connection, connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { EXIT_OURS } from "../failure.ts";
import { progress } from "../output/progress.ts";
import { type WayOptions, wayWanted } from "../run-verb.ts";
import type { Target } from "../ssh/arguments.ts";
import { wayIn } from "../ssh/way-in.ts";
import { bookFor, type JobNeeds } from "./book.ts";
import { type CommandResult, inFolder, runCommand } from "./command.ts";
import { type Restored, readGets, restore } from "./get.ts";
import { fetchOutputs, sendJob } from "./guest.ts";
import { interruptible, type Wish } from "./interrupt.ts";
import { costLine, endAndSettle, ready, type Settled } from "./lease.ts";
import { hushed } from "./progress.ts";
import { putEntries } from "./put.ts";

export interface JobInput extends JobNeeds, WayOptions {
  readonly command: readonly string[];
  readonly put?: readonly string[];
  readonly get?: readonly string[];
  readonly tty?: true;
  readonly identity?: string;
  readonly onInterrupt?: Wish;
  readonly quiet?: true;
}

export interface JobResult extends CommandResult {
  readonly restored: Restored;
}

const HERE = process.cwd();

/**
 * The whole job: book, send, run with its output streamed, fetch, end, and what it cost. The lease
 * ends whatever happens on the way, unless it was said to leave it.
 */
export async function runWholeJob(given: Context, input: JobInput): Promise<Outcome> {
  const context = hushed(given, input.quiet === true);
  // What is not here, or not understood, is told before anything is booked.
  const gets = readGets(input.get ?? []);
  const entries = await putEntries(input.put ?? [], HERE);
  const connection = await connect(context);
  const { client } = connection;
  const runId = newId("run");
  const run = { runId, kind: "attached", command: input.command, count: 1 } as const;
  const [lease] = await bookFor(context, connection, input, run);
  if (lease === undefined) throw new Error("nothing was booked and nothing refused");
  const { leaseId } = lease;
  const finish = async (exitCode: number) => {
    const settled = await endAfter(context, connection, runId, lease, exitCode);
    progress(context).line(costLine(settled, runId));
    return settled;
  };
  try {
    const done = await interruptible(context, input.onInterrupt, async (signal) => {
      const now = await ready(context, client, leaseId, signal);
      const target = await wayIn(context, leaseId, input.identity, wayWanted(input));
      const sent = { name: runId, command: input.command, gets, entries };
      const folder = await sendJob(context, target, sent, "place", signal);
      return runAndFetch(given, context, { target, folder, lease: now, input, signal });
    });
    if (done.interrupted && done.wish === "leave")
      return left(context, runId, lease, done.exitCode);
    const exitCode = done.interrupted ? done.exitCode : exitCodeOf(done.value);
    const settled = await finish(exitCode);
    const result = done.interrupted ? null : done.value;
    const { leases, ...money } = settled;
    const said = { stdout: result?.stdout ?? null, stderr: result?.stderr ?? null };
    const files = { files: result?.restored.files ?? [], missing: result?.restored.missing ?? [] };
    const json = { runId, leaseId, exitCode, command: input.command, ...said, ...files };
    return { json: { ...json, billId: leases[0]?.billId ?? null, ...money }, text: "", exitCode };
  } catch (error) {
    // The first failure is the one to be told.
    await finish(EXIT_OURS).catch(() => {
      progress(given).line(`${leaseId} may still run: end it with \`sublet lease end ${leaseId}\``);
    });
    throw error;
  }
}

/** Runs it in its folder, and brings back what was named, whatever the command came to. */
export async function runAndFetch(
  given: Context,
  context: Context,
  about: {
    readonly target: Target;
    readonly folder: string;
    readonly lease: LeaseView;
    readonly input: Pick<JobInput, "command" | "get" | "tty">;
    readonly signal: AbortSignal;
  },
): Promise<JobResult> {
  const { target, folder, lease, input, signal } = about;
  const options = { lease, signal, tty: input.tty === true, screen: given };
  const result = await runCommand(context, target, inFolder(folder, input.command), options);
  return { ...result, restored: await bringBack(context, target, folder, input.get ?? [], signal) };
}

export async function bringBack(
  context: Context,
  target: Target,
  folder: string,
  get: readonly string[],
  signal: AbortSignal,
): Promise<Restored> {
  if (get.length === 0 || signal.aborted) return { files: [], missing: [], problem: null };
  const place = await fetchOutputs(context, target, folder, signal);
  try {
    const restored = await restore(place, folder, readGets(get), HERE);
    tellRestored(context, restored);
    return restored;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

export function tellRestored(context: Context, { missing, problem, files }: Restored): void {
  const shown = progress(context);
  if (files.length > 0) shown.line(`fetched ${files.join(", ")}`);
  for (const name of missing) shown.line(`missing: there is no ${name} in the guest`);
  if (problem !== null) shown.line(`missing: ${problem}`);
}

/** The command's own; where that is 0 and something is missing that was wanted, ours. */
export function exitCodeOf({ exitCode, restored }: JobResult): number {
  const isWhole = restored.missing.length === 0 && restored.problem === null;
  return exitCode === 0 && !isWhole ? EXIT_OURS : exitCode;
}

async function endAfter(
  context: Context,
  { client }: Connection,
  runId: RunId,
  { leaseId }: LeaseView,
  exitCode: number,
): Promise<Settled> {
  await client.call("finishRun", { params: { runId }, body: { exitCode } }).catch(() => undefined);
  return endAndSettle(context, client, runId, [leaseId]);
}

function left(
  context: Context,
  runId: RunId,
  { leaseId, period }: LeaseView,
  exitCode: number,
): Outcome {
  const until = period ? ` until ${period.end}` : "";
  progress(context).line(
    `${leaseId} goes on${until}: \`sublet ssh ${leaseId}\` gets in, \`sublet lease end ${leaseId}\` ends it`,
  );
  return { json: { runId, leaseId, exitCode, left: true }, text: "", exitCode };
}
