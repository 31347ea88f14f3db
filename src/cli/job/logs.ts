import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import type { RunView } from "../../api/contract/run.ts";
import type { RunId } from "../../unit/id.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { CliError, EXIT_OURS } from "../failure.ts";
import { sshArguments } from "../ssh/arguments.ts";
import { wayIn } from "../ssh/way-in.ts";
import { isUnanswered } from "../until-answered.ts";
import { callJob, endOf, pour, start } from "./guest.ts";
import { fetchLogs } from "./outputs.ts";
import { type RunRecord, readRun, readSavedLog } from "./record.ts";

const AGAIN_MS = 1_000;

/** From the guest while it is there, else from what was kept of it. */
export async function showLogs(context: Context, runId: RunId, follow: boolean): Promise<Outcome> {
  const { configFolder } = context.environment;
  const record = await readRun(configFolder, runId);
  const { client } = await connect(context);
  const log = new Log(context);
  for (;;) {
    const run = await look(client, runId);
    const lease = run?.leases[0];
    if (lease?.state === "ready" && record.folder !== null) {
      const code = await fromGuest(context, record, follow, log);
      if (!follow || code === 0) return log.outcome();
    } else if (lease?.state === "ended" || lease?.outputs?.state === "gone") {
      if ((await readSavedLog(configFolder, runId)) === null) {
        if (lease.outputs?.state !== "kept") throw noLog(runId, lease.outputs?.reason ?? null);
        await fetchLogs(context, client, record);
      }
      const saved = await readSavedLog(configFolder, runId);
      log.whole(Buffer.from(saved?.out ?? "", "latin1"), Buffer.from(saved?.err ?? "", "latin1"));
      return log.outcome();
    } else if (
      run !== null &&
      !follow &&
      lease?.outputs?.state === "awaited" &&
      lease.state !== "ending"
    ) {
      return log.outcome();
    }
    await sleep(AGAIN_MS);
  }
}

/** A run that is under way elsewhere cannot be asked; its lease ends all the same. */
export async function askToEnd(context: Context, client: Client, runId: RunId): Promise<void> {
  const run = await client.call("showRun", { params: { runId } });
  const [lease] = run.leases;
  if (run.kind !== "detached" || lease?.state !== "ready" || lease.exitedAt !== null) return;
  try {
    const record = await readRun(context.environment.configFolder, runId);
    if (record.folder === null) return;
    const target = await wayIn(context, record.leaseId, record.identity ?? undefined);
    await callJob(context, target, record.folder, "cancel", AbortSignal.timeout(GRACE_MS));
    for (const end = performance.now() + GRACE_MS; performance.now() < end; await sleep(300)) {
      const now = await client.call("showRun", { params: { runId } });
      if (now.leases[0]?.exitedAt !== null) return;
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
  }
}

/** The script's own patience with the command, and what it then writes. */
const GRACE_MS = 20_000;

async function look(client: Client, runId: RunId): Promise<RunView | null> {
  try {
    return await client.call("showRun", { params: { runId } });
  } catch (error) {
    if (isUnanswered(error)) return null;
    throw error;
  }
}

async function fromGuest(
  context: Context,
  record: RunRecord,
  follow: boolean,
  log: Log,
): Promise<number> {
  const target = await wayIn(context, record.leaseId, record.identity ?? undefined).catch(overNow);
  if (target === null) return EXIT_OURS;
  const remote = `sh ${record.folder}/job.sh ${follow ? "follow" : "logs"}`;
  const child = start(sshArguments(target, [remote], "never"), new AbortController().signal);
  child.stdin?.end();
  log.begin();
  const [code] = await Promise.all([
    endOf(child),
    pour(child.stdout, (chunk) => log.write("out", chunk)),
    pour(child.stderr, (chunk) => log.write("err", chunk)),
  ]);
  return code;
}

/** Its lease has just ended, or the server is away: it is looked at again. */
function overNow(error: unknown): null {
  const { code } = error as { code?: unknown };
  if (code === "lease-not-ready" || isUnanswered(error)) return null;
  throw error;
}

/** Shows each byte once, over several looks that all begin at the beginning. */
class Log {
  readonly #context: Context;
  readonly #shown = { out: 0, err: 0 };
  #seen = { out: 0, err: 0 };
  readonly #kept: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] };

  constructor(context: Context) {
    this.#context = context;
  }

  begin(): void {
    this.#seen = { out: 0, err: 0 };
  }

  write(stream: "out" | "err", chunk: Buffer): void {
    const skip = Math.max(0, this.#shown[stream] - this.#seen[stream]);
    this.#seen[stream] += chunk.length;
    const news = chunk.subarray(skip);
    if (news.length === 0) return;
    this.#shown[stream] += news.length;
    if (this.#context.json) this.#kept[stream].push(news);
    else this.#context[stream === "out" ? "stdout" : "stderr"].write(news);
  }

  whole(out: Buffer, err: Buffer): void {
    this.begin();
    this.write("out", out);
    this.write("err", err);
  }

  outcome(): Outcome {
    const { out, err } = this.#kept;
    const json = { stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
    return { json, text: "" };
  }
}

function noLog(runId: RunId, reason: string | null): CliError {
  const why = reason === null ? "it never began" : reason;
  return new CliError("no-output", `there is no output of ${runId} (${why}); run it again`, {
    runId,
  });
}
