import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { adminClient } from "./admin.ts";
import type { Binaries } from "./binaries.ts";
import { isErrno } from "./errno.ts";
import { EmbeddedPostgresError } from "./error.ts";
import type { Launcher } from "./launcher.ts";
import type { LogFile } from "./log-file.ts";
import { cleanEnv, settingArguments } from "./settings.ts";

export interface PostmasterPlan {
  readonly binaries: Binaries;
  readonly launcher: Launcher;
  readonly cluster: string;
  readonly socketFolder: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly lockFd: number;
  readonly logFile: LogFile;
}

/** One running PostgreSQL: from its start until its one exit. */
export interface Postmaster {
  readonly pid: number;
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

/** Recovery replays at most max_wal_size; a slow disk does that well within this. */
const READY_WAIT_MS = 180_000;
const READY_POLL_MS = 15;
/** Fast shutdown writes a checkpoint; after this the crash-safe shutdown, then no more asking. */
const FAST_STOP_MS = 30_000;
const IMMEDIATE_STOP_MS = 5_000;

/** Starts PostgreSQL and returns when it answers a query. Throws `cannot-start` when it exits. */
export async function startPostmaster(plan: PostmasterPlan): Promise<Postmaster> {
  const child = launch(plan);
  const { promise: exited, resolve } = Promise.withResolvers<string>();
  child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  const { pid } = child;
  if (pid === undefined) throw await launchFailure(child);
  const postmaster = { pid, exited, stop: () => stopChild(child, exited) };
  try {
    await waitUntilReady(plan, child);
    return postmaster;
  } catch (error) {
    await postmaster.stop();
    throw error;
  }
}

function launch(plan: PostmasterPlan): ChildProcess {
  const { launcher, binaries, cluster, socketFolder, settings, logFile, lockFd } = plan;
  const [program = "", ...prefix] = launcher.server;
  const args = [...prefix, binaries.postgres, "-D", cluster, "-k", socketFolder];
  return spawn(program, [...args, ...settingArguments(settings)], {
    cwd: "/",
    env: cleanEnv(binaries),
    stdio: ["ignore", logFile.fd, logFile.fd, lockFd],
    // Ctrl-C goes to a terminal's whole process group; our process decides when to stop this one.
    detached: true,
  });
}

async function launchFailure(child: ChildProcess): Promise<EmbeddedPostgresError> {
  const { promise, resolve } = Promise.withResolvers<Error>();
  child.once("error", resolve);
  const cause = await promise;
  return new EmbeddedPostgresError(
    "program-missing",
    `PostgreSQL could not be launched (${cause.message}): run apt-get install util-linux.`,
    { cause },
  );
}

async function waitUntilReady(plan: PostmasterPlan, child: ChildProcess): Promise<void> {
  const startedMs = performance.now();
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new EmbeddedPostgresError(
        "cannot-start",
        `PostgreSQL ended while it was starting. Its log ${plan.logFile.path} ends with: ` +
          `${plan.logFile.tail(2_000).trim().split("\n").slice(-3).join(" ")}; ` +
          "mend that and start again, or restore a backup.",
      );
    }
    const refusal = await refusalOf(plan.socketFolder);
    if (refusal === undefined) return;
    if (performance.now() - startedMs > READY_WAIT_MS) {
      throw new EmbeddedPostgresError(
        "cannot-start",
        "PostgreSQL did not become ready; see its log, and start again.",
        {
          cause: refusal,
        },
      );
    }
    await sleep(READY_POLL_MS);
  }
}

/** Undefined when the server answers; else why it does not yet. Throws what waiting cannot mend. */
async function refusalOf(socketFolder: string): Promise<unknown> {
  const client = adminClient(socketFolder);
  // A connection that breaks between two calls is reported by the next call as well.
  let broken: Error | undefined;
  client.on("error", (error) => {
    broken = error;
  });
  try {
    await client.connect();
    await client.query("select 1");
    return undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "57P03")) return error;
    if (broken || (error instanceof Error && /terminated/.test(error.message))) return error;
    throw error;
  } finally {
    await client.end();
  }
}

async function stopChild(child: ChildProcess, exited: Promise<string>): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const limits = [
    ["SIGINT", FAST_STOP_MS],
    ["SIGQUIT", IMMEDIATE_STOP_MS],
  ] as const;
  for (const [signal, limitMs] of limits) {
    if (isOver()) return;
    child.kill(signal);
    const given = new AbortController();
    const limit = sleep(limitMs, undefined, { signal: given.signal }).catch((error) => {
      if (!given.signal.aborted) throw error;
    });
    await Promise.race([exited, limit]);
    given.abort();
  }
  if (isOver()) return;
  child.kill("SIGKILL");
  await exited;
}
