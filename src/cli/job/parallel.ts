import { isAbsolute, join } from "node:path";
import type { LeaseView } from "../../api/contract/view.ts";
import { type LeaseId, newId, type RunId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { type Connection, connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { EXIT_OURS } from "../failure.ts";
import { progress } from "../output/progress.ts";
import { table } from "../output/table.ts";
import { money } from "../output/words.ts";
import { wayWanted } from "../run-verb.ts";
import { sshArguments, type Target } from "../ssh/arguments.ts";
import { wayIn } from "../ssh/way-in.ts";
import { bringBack, type JobInput } from "./attached.ts";
import { bookFor } from "./book.ts";
import { inFolder } from "./command.ts";
import { readGets } from "./get.ts";
import { callJob, collected, endOf, sendJob, start } from "./guest.ts";
import { interruptible } from "./interrupt.ts";
import { endAndSettle, ready, type Settled } from "./lease.ts";
import { hushed } from "./progress.ts";
import { entriesOf, expand, guestPath, inJob, putEntries } from "./put.ts";
import { checkPlaceholder, substitute, substituteInCommand } from "./substitute.ts";
import type { TarEntry } from "./tar.ts";

export interface ParallelInput extends JobInput {
  readonly parallel: number;
  readonly input: readonly string[];
}

export interface InputResult {
  readonly input: string;
  readonly leaseId: LeaseId;
  readonly exitCode: number;
  readonly attempts: number;
  readonly files: readonly string[];
  readonly missing: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
}

/** An input that failed through no fault of the command is tried this often. */
const ATTEMPTS_MAX = 2;

/**
 * One command over a list of inputs, in so many leases at once; each lease takes the next input when
 * it is done with one, and ends when there is none. Exit code: 0 when all were 0, else 1, and 255
 * where it was not the command that failed.
 */
export async function runParallel(given: Context, input: ParallelInput): Promise<Outcome> {
  const context = hushed(given, input.quiet === true);
  checkPlaceholder(input.command);
  const here = process.cwd();
  const inputs = (await Promise.all(input.input.map((text) => expand(text, here)))).flat();
  const common = await putEntries(input.put ?? [], here);
  for (const one of inputs) readGets((input.get ?? []).map((text) => substitute(text, one)));
  const connection = await connect(context);
  const runId = newId("run");
  const count = Math.min(input.parallel, inputs.length);
  const run = { runId, kind: "parallel", command: input.command, count } as const;
  const leases = await bookFor(context, connection, input, run);
  const ids = leases.map(({ leaseId }) => leaseId);
  const work = new Work(given, context, connection, { input, inputs, common, runId });
  try {
    const done = await interruptible(context, input.onInterrupt, (signal) =>
      work.in(leases, signal),
    );
    const exitCode = done.interrupted ? done.exitCode : work.exitCode();
    if (done.interrupted && done.wish === "leave") {
      progress(context).line(`${ids.join(", ")} go on: \`sublet run cancel ${runId}\` ends them`);
      return { json: { runId, exitCode, left: true }, text: "", exitCode };
    }
    await connection.client
      .call("finishRun", { params: { runId }, body: { exitCode } })
      .catch(() => undefined);
    const settled = await endAndSettle(context, connection.client, runId, ids);
    const results = work.results;
    summary(context, results, inputs.length, settled);
    const undone = inputs.filter((one) => !results.some((result) => result.input === one));
    return { json: { runId, exitCode, inputs: results, undone, ...settled }, text: "", exitCode };
  } catch (error) {
    await endAndSettle(context, connection.client, runId, ids).catch(() => {
      progress(given).line(`leases may still run: end them with \`sublet run cancel ${runId}\``);
    });
    throw error;
  }
}

class Work {
  readonly results: InputResult[] = [];
  readonly #queue: { input: string; attempts: number }[];
  readonly #total: number;
  readonly #screen: Context;
  readonly #context: Context;
  readonly #connection: Connection;
  readonly #about: {
    readonly input: ParallelInput;
    readonly common: readonly TarEntry[];
    readonly runId: RunId;
  };
  #count = 0;

  constructor(
    screen: Context,
    context: Context,
    connection: Connection,
    about: {
      readonly input: ParallelInput;
      readonly inputs: readonly string[];
      readonly common: readonly TarEntry[];
      readonly runId: RunId;
    },
  ) {
    this.#queue = about.inputs.map((input) => ({ input, attempts: 0 }));
    this.#total = about.inputs.length;
    this.#screen = screen;
    this.#context = context;
    this.#connection = connection;
    this.#about = about;
  }

  /** A lease that fails leaves its input to the others; when all have failed the rest is undone. */
  async in(leases: readonly LeaseView[], signal: AbortSignal): Promise<void> {
    const ends = await Promise.allSettled(leases.map((lease) => this.#slot(lease, signal)));
    for (const end of ends) {
      if (end.status === "fulfilled") continue;
      progress(this.#context).line(`a lease failed: ${String((end.reason as Error).message)}`);
    }
  }

  exitCode(): number {
    const codes = this.results.map(({ exitCode, missing }) =>
      exitCode === 0 && missing.length > 0 ? EXIT_OURS : exitCode,
    );
    if (codes.length < this.#total || codes.includes(EXIT_OURS)) return EXIT_OURS;
    return codes.every((code) => code === 0) ? 0 : 1;
  }

  async #slot({ leaseId }: LeaseView, signal: AbortSignal): Promise<void> {
    const { client } = this.#connection;
    const lease = await ready(this.#context, client, leaseId, signal);
    const { input } = this.#about;
    const target = await wayIn(this.#context, leaseId, input.identity, wayWanted(input));
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined || signal.aborted) break;
      const attempts = next.attempts + 1;
      try {
        await this.#one(lease, target, next.input, attempts, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        const why = error instanceof Error ? error.message : String(error);
        progress(this.#context).line(`${next.input}: ${why}`);
        if (attempts < ATTEMPTS_MAX) this.#queue.unshift({ input: next.input, attempts });
        else this.#tell(brokenResult(next.input, leaseId, attempts, why));
        // A way that broke may be mended; a lease that is over leaves its input to the others.
        const { lease: now } = await client.call("showLease", { params: { leaseId } });
        if (now.state !== "ready") throw error;
      }
    }
    // What waits for nothing is not paid for.
    await client.call("endLease", { params: { leaseId } });
  }

  async #one(
    lease: LeaseView,
    target: Target,
    input: string,
    attempts: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { put: _put, get = [], command } = this.#about.input;
    const own = substituteInCommand(command, inGuest(input));
    const gets = get.map((text) => substitute(text, input));
    const entries = [...this.#about.common, ...(await inputEntries(input))];
    const name = `${this.#about.runId}-${this.#count++}`;
    const sent = { name, command: own, gets: readGets(gets), entries };
    const quiet = hushed(this.#context, true);
    const folder = await sendJob(quiet, target, sent, "place", signal);
    const child = start(sshArguments(target, [inFolder(folder, own)], "never"), signal, "ignore");
    const [exitCode, out, err] = await Promise.all([
      endOf(child),
      collected(child.stdout),
      collected(child.stderr),
    ]);
    // ssh's own failure: the command itself may have ended well, or not at all.
    if (exitCode === EXIT_OURS && !signal.aborted) {
      throw new Error(`the way to ${lease.leaseId} broke: ${err.toString().trim()}`);
    }
    const { files, missing } = await bringBack(quiet, target, folder, gets, signal);
    await callJob(quiet, target, folder, "clean", signal);
    this.#tell({
      ...{ input, leaseId: lease.leaseId, exitCode, attempts, files, missing },
      ...{ stdout: out.toString(), stderr: err.toString() },
    });
  }

  /** What a command wrote is shown whole, so that inputs do not mix. */
  #tell(result: InputResult): void {
    this.results.push(result);
    if (!this.#screen.json) {
      this.#screen.stdout.write(result.stdout);
      this.#screen.stderr.write(result.stderr);
    }
    const said = result.exitCode === 0 ? "done" : `failed (exit ${result.exitCode})`;
    const gone = result.missing.length > 0 ? `, missing ${result.missing.join(", ")}` : "";
    const line = `${this.results.length} of ${this.#total}: ${result.input} ${said}${gone}`;
    progress(this.#context).line(line);
  }
}

/** What is told of an input whose way broke as often as it may. */
function brokenResult(input: string, leaseId: LeaseId, attempts: number, why: string): InputResult {
  const nothing = { files: [], missing: [], stdout: "", stderr: `${why}\n` };
  return { input, leaseId, exitCode: EXIT_OURS, attempts, ...nothing };
}

/** An input keeps its path below the present folder, and its name where it comes from elsewhere. */
function inGuest(input: string): string {
  const isBelow = !isAbsolute(input) && !input.split("/").includes("..");
  return isBelow ? guestPath(input) : input.slice(input.lastIndexOf("/") + 1);
}

async function inputEntries(input: string): Promise<TarEntry[]> {
  const path = isAbsolute(input) ? input : join(process.cwd(), input);
  return entriesOf(path, inJob(inGuest(input)));
}

/** One bill: what each lease came to, and all of them. */
function summary(
  context: Context,
  results: readonly InputResult[],
  total: number,
  settled: Settled,
): void {
  const failed = results.filter(({ exitCode }) => exitCode !== 0);
  const names = failed.map(({ input, exitCode }) => `${input} (exit ${exitCode})`).join(", ");
  const undone = total - results.length;
  const { currency } = settled;
  const shown = progress(context);
  shown.line(
    `${total} inputs: ${results.length - failed.length} done, ${failed.length} failed${names ? `: ${names}` : ""}${undone > 0 ? `, ${undone} not done` : ""}`,
  );
  const rows = settled.leases.map(({ leaseId, billId, totalMicros }) => [
    leaseId,
    billId ?? "open",
    totalMicros === null ? "-" : money(totalMicros, currency),
  ]);
  rows.push(["in all", "", money(settled.billedMicros, currency)]);
  shown.line(table(context, ["LEASE", "BILL", "COST"], rows));
}

export function readParallel(text: string): number {
  if (/^[1-9]\d?$/.test(text) && Number(text) <= 50) return Number(text);
  throw new InputError(`"${text}" is not a number of leases from 1 to 50; write it like 4`);
}
