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

/** What the story is played on: a folder, the verbs, and the two processes once they are started. */
export interface Stage {
  readonly folder: string;
  readonly configFolder: string;
  readonly agentSocket: string;
  readonly verbs: Verbs;
  /** Rejects when a process of the story cannot be kept running. */
  readonly broken: Promise<never>;
  startServer(): Promise<{ url: string; operatorKey: string; pid: () => number | undefined }>;
  startAgent(joinToken: string): Kept;
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
  const kept: Kept[] = [];
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const keep = (name: "server" | "agent", argv: readonly string[]) => {
    const process = keepRunning({
      name,
      argv: [name, "--data", join(folder, DEMO_PARTS[name]), ...argv],
      logPath: join(folder, `${name}.log`),
      runFolder: join(folder, "run"),
      tied: !options.keep,
      onRestart: (line) => teller.detail(`! ${line}`),
      onGaveUp: reject,
    });
    kept.push(process);
    return process;
  };
  const folders = { configFolder, dataFolder: folder, cacheFolder: folder, runFolder: folder };
  const environment = { ...folders, debug: options.debug, colourless: true };
  return {
    folder,
    configFolder,
    agentSocket: join(folder, DEMO_PARTS.agent, "agent.sock"),
    verbs: createVerbs(environment),
    broken,
    startServer: async () => {
      const listen = `127.0.0.1:${await freePort()}`;
      const server = keep("server", ["--listen", listen, "--json"]);
      const line = await server.firstLine;
      const shape = z.object({ url: z.string(), operatorKey: z.string() });
      return { ...shape.parse(JSON.parse(line)), pid: server.pid };
    },
    startAgent: (joinToken) => keep("agent", ["--join", joinToken]),
    leave: () => {
      for (const process of kept) process.release();
      janitor?.dismiss();
    },
    clear: async () => {
      // The agent first: nothing may start a guest again that is being taken away.
      for (const process of kept.toReversed()) await process.stop(STOP_GRACE_MS);
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
