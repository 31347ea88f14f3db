import { createServer } from "node:net";
import { join } from "node:path";
import type { Response } from "../../src/api/contract/contract.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import { createVerbs, type Verbs } from "../../src/cli/demo/verbs.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { hireJanitor } from "./janitor.ts";
import { until } from "./processes.ts";
import { smallLinux } from "./small-linux.ts";
import { type Ran, type RunOptions, sublet } from "./sublet.ts";

/**
 * A server and an agent as processes, one host `h1` with the partitions `lend` (lent, 1 core) and
 * `own` (not lent), an operator, a lender and a client with 10.00, and a small Linux.
 */
export interface Market {
  readonly folder: string;
  readonly configFolder: string;
  readonly url: string;
  readonly imageFolder: string;
  /** Used up: `h1` has joined with it. */
  readonly joinToken: string;
  readonly server: Daemon;
  readonly agent: Daemon;
  readonly agentSocket: string;
  readonly guestsFolder: string;
  /** In this process; a server that is started again is waited for. */
  readonly verbs: Verbs;
  /** As a process, under this market's logins. */
  sublet(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Ends the processes, then takes away the guests and the folder. */
  close(): Promise<void>;
}

export type Lease = Response<"bookLease">;

/** What the client of these tests wants: it is booked with a maximum of 6.12 held. */
export const WISH = [
  ...["--cpu", "1", "--memory", "192MiB", "--disk", "64MiB"],
  ...["--os", "small-linux", "--for", "10m"],
];

export async function openMarket(purpose: string): Promise<Market> {
  const imageFolder = await smallLinux();
  const temporary = makeTempFolder(purpose);
  const folder = temporary.path;
  const janitor = hireJanitor(folder);
  const configFolder = join(folder, DEMO_PARTS.config);
  const dataOf = (part: "server" | "agent") => join(folder, DEMO_PARTS[part]);
  const listen = `127.0.0.1:${await freePort()}`;
  const server = createDaemon(
    ["server", "--data", dataOf("server"), "--listen", listen],
    join(folder, "server.log"),
  );
  const agent = createDaemon(["agent", "--data", dataOf("agent")], join(folder, "agent.log"));
  const folders = { configFolder, dataFolder: folder, cacheFolder: folder, runFolder: folder };
  const environment = { ...folders, debug: false, colourless: true };
  const verbs = createVerbs(environment);
  const close = async () => {
    try {
      // The agent first: nothing may start a guest again that is being taken away.
      await agent.stop();
      await server.stop();
      await cleanUp(folder);
    } finally {
      temporary.remove();
      janitor.dismiss();
    }
  };
  try {
    const { url, operatorKey } = await server.start<{ url: string; operatorKey: string }>();
    await addParties(verbs, url, operatorKey);
    await verbs.do("image", "add", imageFolder, "--as", "operator");
    const { joinToken } = await verbs.do<Response<"addHost">>(
      ..."host add h1 --as lender".split(" "),
    );
    await agent.start("--join", joinToken);
    await cut(verbs);
    return {
      ...{ folder, configFolder, url, imageFolder, joinToken, server, agent, verbs, close },
      agentSocket: join(dataOf("agent"), "agent.sock"),
      guestsFolder: join(dataOf("agent"), "guests"),
      sublet: (argv, options) =>
        sublet(argv, { ...options, env: { SUBLET_CONFIG: configFolder, ...options?.env } }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Books, and waits until the guest's way in is there. */
export async function borrow({ verbs }: Market): Promise<Lease> {
  return verbs.do("lease", "create", ...WISH, "--yes", "--wait", "--as", "client");
}

async function addParties(verbs: Verbs, url: string, operatorKey: string): Promise<void> {
  const login = (key: string, as: string) => verbs.do("login", url, "--key", key, "--as", as);
  await login(operatorKey, "operator");
  for (const role of ["lender", "client"]) {
    const added = await verbs.do<Response<"addParty">>(
      ...["party", "add", role, "--role", role, "--as", "operator"],
    );
    await login(added.key, role);
  }
  await verbs.do("account", "deposit", "client", "10.00", "--as", "operator");
}

async function cut(verbs: Verbs): Promise<void> {
  await until("the host is seen", async () => {
    const { hosts } = await verbs.do<Response<"listHosts">>("host", "list", "--as", "lender");
    return hosts.find(({ state }) => state === "seen");
  });
  const size = ["--memory", "256MiB", "--disk", "128MiB", "--as", "lender"];
  await verbs.do("partition", "set", "h1", "lend", "--cpu", "1", "--lendable", ...size);
  await verbs.do("partition", "set", "h1", "own", "--cpu", "0.5", "--shared", ...size);
  const prices = ["--price-core", "36.00/h", "--price-memory", "3.60/h"];
  const lengths = ["--min-lease", "1m", "--max-lease", "1d"];
  await verbs.do("offer", "set", "h1", "lend", ...prices, ...lengths, "--as", "lender");
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
