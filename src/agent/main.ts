import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, UnreachableError } from "../api/client/error.ts";
import type { PartitionDriver } from "../partition/driver.ts";
import { createQemuDriver } from "../partition/qemu/driver.ts";
import { BACKOFF } from "../process/backoff.ts";
import { createLog, type Log } from "../process/log.ts";
import { startLoop } from "../process/loop.ts";
import { capacityOnce, untilEdgeMs } from "./capacity/once.ts";
import { followOrders } from "./capacity/orders.ts";
import { sendActsOnce } from "./capacity/send-acts.ts";
import { type AgentConfig, type AgentOptions, configFrom } from "./config.ts";
import { answerConsoles } from "./console.ts";
import { type AgentContext, hasServer, type JoinedContext } from "./context.ts";
import { readDesiredOnce } from "./desired.ts";
import { followServerOnce } from "./follow-server.ts";
import { rotateKeyOnce } from "./identity/rotate.ts";
import { convergeOnce } from "./lease/converge.ts";
import { listLeases } from "./lease/store.ts";
import { lockFolder } from "./lock.ts";
import { meterOnce, nextReadingMs } from "./metering.ts";
import { createOverlap } from "./overlap.ts";
import { tellLentOnce } from "./report-capacity.ts";
import { reportOnce } from "./reports.ts";
import { sendUsageOnce } from "./send-usage.ts";
import { listenLocally } from "./socket.ts";
import { type AgentOverrides, type Started, startContext } from "./start.ts";
import { makeDataFolder, openState } from "./state/store.ts";

export interface RunningAgent {
  readonly context: AgentContext;
  readonly socketPath: string;
  /** Ends the agent; guests go on, and the next start finds them (invariant 7). */
  stop(): Promise<void>;
  /** With the process's exit code, once the agent has ended. */
  readonly exit: Promise<number>;
}

/** A guest's death is seen, and a lease's end acted on, within this. */
const CONVERGE_EVERY_MS = 1_000;
/** Somebody waits for a guest that boots: its first answer is not to lie about for a second. */
const CONVERGE_BOOTING_EVERY_MS = 100;
const SEND_EVERY_MS = 1_000;
/** Hints say when something moved; this is for the hint that was lost. */
const DESIRED_EVERY_MS = 15_000;
/** A server that hangs must not keep the agent from stopping. */
const STOP_PATIENCE_MS = 2_000;

/**
 * Starts the agent of this computer. Throws an error with a `code` and a sentence (AgentError,
 * DriverError, ApiError) when it cannot be; resolves when it works, and has joined unless it is alone.
 */
export async function runAgent(
  options: AgentOptions,
  overrides: AgentOverrides = {},
): Promise<RunningAgent> {
  const { dataFolder } = configFrom(options);
  const log = overrides.log ?? createLog(options.logFormat ?? "json", options.logLevel ?? "info");
  makeDataFolder(dataFolder);
  const lock = lockFolder(dataFolder);
  try {
    const db = openState(dataFolder);
    const makeDriver = async (config: AgentConfig) => qemuDriver(config, log);
    const started = await startContext({ options, overrides, db, log, makeDriver });
    return await run(started, () => {
      started.place?.leave();
      db.close();
      lock.release();
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}

function qemuDriver({ dataFolder, resolvers }: AgentConfig, log: Log): PartitionDriver {
  const write = (line: string) => log.info({ driver: "qemu" }, line);
  return createQemuDriver({ folder: join(dataFolder, "guests"), log: write, resolvers });
}

async function run({ context, token }: Started, release: () => void): Promise<RunningAgent> {
  const { hostId, hostName } = context.host;
  const serverUrl = context.server?.joined.serverUrl ?? null;
  const socket = await listenLocally(context);
  const loops = startLoops(context, token);
  const { accelerator, cores } = context.capacity.facts;
  const fields = { hostId, name: hostName, server: serverUrl, socket: socket.path };
  const leases = listLeases(context.db).map(({ leaseId }) => leaseId);
  await tellOfStrangers(context, leases);
  context.log.info({ ...fields, accelerator, cores, leases }, "the agent works");
  const { promise: exit, resolve } = Promise.withResolvers<number>();
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    context.ended.abort(new Error("the agent stops"));
    context.tunnels.close();
    await Promise.all(loops.local.map((loop) => loop.stop()));
    await loops.working.settled();
    // What the server was asked and has not answered is asked again at the next start.
    const told = Promise.all(loops.remote.map((loop) => loop.stop()));
    await Promise.race([told, sleep(STOP_PATIENCE_MS, undefined, { ref: false })]);
    await socket.close();
    release();
    context.log.info({}, "the agent has stopped; its guests go on");
    resolve(0);
  };
  return {
    ...{ context, socketPath: socket.path, exit },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** An agent alone has the local ones only: nothing of it ever asks for an answer. */
function startLoops(context: AgentContext, token: Started["token"]) {
  const told: { wake: () => void } = { wake: () => undefined };
  const local = startLocalLoops(context, () => told.wake());
  if (!hasServer(context) || token === null) return { ...local, remote: [] };
  const remote = startRemoteLoops(context, token, () => local.converge.wake());
  told.wake = remote.wakeSender;
  return { ...local, remote: remote.loops };
}

/** Every pass may wake the sender: what it stored is to be told soon. */
function startLocalLoops(context: AgentContext, onConverged: () => void) {
  const { log } = context;
  const onLateError = (error: unknown) => log.error({ err: error }, "a pass failed");
  const overlap = createOverlap(CONVERGE_EVERY_MS, onLateError);
  const local = { backoff: BACKOFF.effect, log };
  const converge = startLoop(
    async () => {
      // A long download for one lease must not keep the others from their ends.
      await overlap.start(() => convergeOnce(context));
      onConverged();
    },
    {
      ...{ name: "converge", ...local },
      everyMs: () => (isBooting(context) ? CONVERGE_BOOTING_EVERY_MS : CONVERGE_EVERY_MS),
    },
  );
  const meter = startLoop(() => meterOnce(context), {
    ...{ name: "meter", everyMs: () => nextReadingMs(context) },
    ...local,
  });
  const capacity = startLoop(() => capacityOnce(context), {
    ...{ name: "capacity", everyMs: () => untilEdgeMs(context, CONVERGE_EVERY_MS) },
    ...local,
  });
  return { local: [converge, meter, capacity], converge, working: overlap };
}

function startRemoteLoops(context: JoinedContext, token: () => string, onNews: () => void) {
  const { log, server } = context;
  const { signal } = context.ended;
  const isNormal = (error: unknown) => isServerTrouble(context, error);
  const remote = { backoff: BACKOFF.send, log, isNormal };
  const usage = startLoop(() => sendUsageOnce(context), {
    ...{ name: "usage", everyMs: () => SEND_EVERY_MS },
    ...remote,
  });
  const acts = startLoop(() => sendActsOnce(context), {
    ...{ name: "acts", everyMs: () => SEND_EVERY_MS },
    ...remote,
  });
  const reports = startLoop(() => reportOnce(context), {
    ...{ name: "reports", everyMs: () => SEND_EVERY_MS },
    ...remote,
  });
  const desired = startLoop(
    async () => {
      if (server.connection.state !== "connected") return;
      await rotateKeyOnce(context);
      const told = await readDesiredOnce(context);
      onNews();
      await answerConsoles(context, told.consoleRequests);
      await followOrders(context, told);
      await tellLentOnce(context);
    },
    { name: "desired", everyMs: () => DESIRED_EVERY_MS, ...remote },
  );
  const follow = startLoop(
    () => followServerOnce(context, { token, signal, onNews: () => desired.wake() }),
    { name: "connection", everyMs: () => 0, ...remote, backoff: BACKOFF.reconnect },
  );
  return { loops: [follow, desired, usage, acts, reports], wakeSender: () => reports.wake() };
}

/** A guest that is on no record here: of a lost database, perhaps. It is told of and left alone. */
async function tellOfStrangers(context: AgentContext, leases: readonly string[]): Promise<void> {
  const strangers = (await context.driver.list()).filter((id) => !leases.some((l) => l === id));
  if (strangers.length > 0) {
    context.log.warn({ strangers }, "guests without a record are left alone; a person must look");
  }
}

function isBooting({ db }: AgentContext): boolean {
  return listLeases(db).some(({ stage }) => stage === "booted");
}

/** The server is away or restarts: the agent works on, and says so once. */
function isServerTrouble({ server }: JoinedContext, error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  if (error instanceof ApiError) return error.httpStatus >= 500;
  return server.connection.state !== "connected";
}
