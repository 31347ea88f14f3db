import { mkdir, mkdtemp, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { CliError } from "../failure.ts";
import { cleanUp, DEMO_PARTS } from "./clean-up.ts";
import { hireJanitor } from "./janitor.ts";
import { type Kept, keepRunning } from "./process.ts";
import type { Teller } from "./teller.ts";
import { createVerbs, type Verbs } from "./verbs.ts";

export interface StageOptions {
  readonly dataFolder: string | undefined;
  readonly keep: boolean;
  readonly debug: boolean;
}

/** Which of the two hosts, which take turns on one computer's cores. */
export type HostPart = "agent" | "standby";

/** What the story is played on: a folder, the verbs, and the processes once they are started. */
export interface Stage {
  readonly folder: string;
  readonly configFolder: string;
  /** It stays when the story has been told. */
  readonly isKept: boolean;
  readonly verbs: Verbs;
  /** Rejects when a process of the story cannot be kept running. */
  readonly broken: Promise<never>;
  startServer(): Promise<{ url: string; operatorKey: string }>;
  startAgent(part: HostPart, ...argv: string[]): void;
  /** Its guests go on. */
  stopAgent(part: HostPart): Promise<void>;
  dataOf(part: HostPart): string;
  socketOf(part: HostPart): string;
  /** Of server and agent, whichever run. */
  pids(): readonly number[];
  /** Leaves everything running, for the person to go on. */
  leave(): void;
  /** Ends the processes, then takes away the guests and the folder. */
  clear(): Promise<void>;
}

const STOP_GRACE_MS = 15_000;

export async function setStage(options: StageOptions, teller: Teller): Promise<Stage> {
  const folder = options.dataFolder
    ? resolve(options.dataFolder)
    : await mkdtemp(join(tmpdir(), "sublet-demo-"));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // It is taken away as a whole at the end.
  if ((await readdir(folder)).length > 0) {
    const message = `${folder} is not empty; name a new folder for the demo with --data`;
    throw new CliError("folder-not-empty", message, { folder });
  }
  const janitor = options.keep ? undefined : hireJanitor(folder);
  const configFolder = join(folder, DEMO_PARTS.config);
  const kept = new Map<"server" | HostPart, Kept>();
  let isOver = false;
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const keep = (part: "server" | HostPart, argv: readonly string[]) => {
    // Told to end while the story was between two lines of its own.
    if (isOver) throw new Error("the story is over");
    const name = part === "server" ? "server" : "agent";
    const process = keepRunning({
      name,
      argv: [name, "--data", join(folder, DEMO_PARTS[part]), ...argv],
      logPath: join(folder, `${part}.log`),
      runFolder: join(folder, "run"),
      tied: !options.keep,
      onRestart: (line) => teller.detail(`! ${line}`),
      onGaveUp: reject,
    });
    kept.set(part, process);
    return process;
  };
  const folders = { configFolder, dataFolder: folder, cacheFolder: folder, runFolder: folder };
  const environment = { ...folders, debug: options.debug, colourless: true };
  const dataOf = (part: HostPart) => join(folder, DEMO_PARTS[part]);
  return {
    ...{ folder, configFolder, isKept: options.keep, dataOf, broken },
    socketOf: (part) => join(dataOf(part), "agent.sock"),
    verbs: createVerbs(environment, () => isOver),
    startServer: async () => {
      const listen = `127.0.0.1:${await freePort()}`;
      const server = keep("server", ["--listen", listen, "--json"]);
      const line = await server.firstLine;
      const shape = z.object({ url: z.string(), operatorKey: z.string() });
      return shape.parse(JSON.parse(line));
    },
    startAgent: (part, ...argv) => {
      keep(part, argv);
    },
    stopAgent: async (part) => {
      await kept.get(part)?.stop(STOP_GRACE_MS);
      kept.delete(part);
    },
    pids: () => [...kept.values()].flatMap((process) => process.pid() ?? []),
    leave: () => {
      for (const process of kept.values()) process.release();
      janitor?.dismiss();
    },
    clear: async () => {
      isOver = true;
      // The agents first: nothing may start a guest again that is being taken away.
      for (const process of [...kept.values()].toReversed()) await process.stop(STOP_GRACE_MS);
      await cleanUp(folder);
      janitor?.dismiss();
    },
  };
}

/** Free a moment ago: the server must come back to the same one when it is started again. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise<void>((closed) => server.close(() => closed()));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
