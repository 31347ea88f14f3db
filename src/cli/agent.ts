import { join, resolve } from "node:path";
import { Option } from "commander";
import type { RunningAgent } from "../agent/main.ts";
import { InputError } from "../unit/quantity.ts";
import { readPaper } from "./capacity/paper.ts";
import type { Context } from "./context.ts";
import { bytes, cpu, quantity } from "./option/quantity.ts";
import { parseServerUrl } from "./option/url.ts";
import { systemdUnit } from "./systemd-unit.ts";
import { untilTold } from "./until-told.ts";
import { verb } from "./verb.ts";

interface AgentInput {
  readonly data?: string;
  readonly join?: string;
  readonly serverUrl?: string;
  readonly cores?: string;
  readonly memory?: number;
  readonly disk?: number;
  readonly reserveCpu?: number;
  readonly reserveMemory?: number;
  readonly reserveDisk?: number;
  readonly accessAddress?: string;
  readonly access?: "direct" | "relay";
  readonly imageCache?: number;
  readonly resolver?: readonly string[];
  readonly printUnit?: true;
  readonly standbyCores?: string;
  readonly standbyMemory?: number;
  readonly alone?: true;
  readonly name?: string;
  readonly trustProvider?: string;
}

export const agentVerb = verb<AgentInput>({
  usage: "agent",
  summary: "Run the agent of this host until it is told to stop; its guests go on without it.",
  examples: [
    "sublet agent --join TOKEN --cores 0-3 --memory 8GiB --disk 50GiB",
    "sublet agent --data /srv/sublet-agent",
    "sublet agent --data /srv/second --join TOKEN --cores 4-7 --memory 4GiB",
    "sublet agent --cores 4-7 --memory 4GiB --print-unit",
    "sublet agent --data /srv/bunker --alone --name bunker --cores 0-1 --standby-cores 1 --standby-memory 512MiB",
  ],
  more: "The token of `sublet host add` is needed at the first start only. It lends no more\nthan it is told. A second agent on one computer has its own --data, --cores and --memory. Logs go to stderr.",
  speaksAs: false,
  options: [
    new Option("--data <folder>", "where it keeps its data; by default of this user"),
    new Option("--join <token>", "join as the host that this token is for (or SUBLET_JOIN_TOKEN)"),
    quantity("--server-url <url>", "when not at the token's address", parseServerUrl),
    quantity("--cores <list>", "cores that it may lend, like 0-3; all by default", readCores),
    bytes("--memory <size>", "memory that it may lend; half of what is free by default"),
    bytes("--disk <size>", "disk that it may lend; half of what is free by default"),
    cpu("--reserve-cpu <cores>", "of that, for the host's own system"),
    bytes("--reserve-memory <size>", "of that, for the host's own system"),
    bytes("--reserve-disk <size>", "of that, for the host's own system"),
    quantity("--standby-cores <list>", "of the cores, installed and not enabled", readCores),
    bytes("--standby-memory <size>", "of the memory, the same; in blocks of 128MiB"),
    new Option("--alone", "a host without a server, for good").conflicts(["join", "serverUrl"]),
    new Option("--name <name>", "what a host without a server is called"),
    new Option("--trust-provider <file>", "pin the provider of this card at the start"),
    new Option("--access-address <address>", "where guests' ways in listen; 127.0.0.1 by default"),
    quantity(
      "--resolver <addresses>",
      "what guests with the internet ask for names; the host's own if public",
      readResolvers,
    ),
    new Option("--access <way>", "relay: clients come in through the server alone").choices([
      "direct",
      "relay",
    ]),
    bytes("--image-cache <size>", "disk for copies of images, beside what it lends; 20GiB"),
    new Option("--print-unit", "print a systemd unit with these options, and start nothing"),
  ],
  run: async (context, input) => {
    const { environment } = context;
    if (input.printUnit) {
      const unit = systemdUnit({ verb: "agent", typed: context.typed, dataFolder: input.data });
      return { json: { unit }, text: unit.trimEnd() };
    }
    // The host's key is this user's alone, whatever folder it is put in.
    process.umask(0o077);
    const { runAgent } = await import("../agent/main.ts");
    const joinToken = input.alone ? undefined : (input.join ?? environment.joinToken);
    const { name = "" } = input;
    const card = input.trustProvider;
    const agent = await runAgent({
      dataFolder: resolve(input.data ?? join(environment.dataFolder, "agent")),
      runFolder: environment.runFolder,
      ...given({ joinToken, server: input.serverUrl, cores: input.cores }),
      ...given({ memoryBytes: input.memory, diskBytes: input.disk }),
      reserve: given({
        cpuMilli: input.reserveCpu,
        memoryBytes: input.reserveMemory,
        diskBytes: input.reserveDisk,
      }),
      ...given({ accessAddress: input.accessAddress, access: input.access }),
      ...given({ imageCacheBytes: input.imageCache }),
      ...given({ resolvers: input.resolver }),
      ...given({ standbyCores: input.standbyCores, standbyMemoryBytes: input.standbyMemory }),
      ...(input.alone ? { alone: { name } } : {}),
      ...(card === undefined ? {} : { providerCardJws: (await readPaper(context, card)).trim() }),
      logFormat: context.json || !context.stderr.isTTY ? "json" : "lines",
    });
    announce(context, agent);
    return { json: undefined, text: "", exitCode: await untilTold(agent) };
  },
});

function announce({ json, stdout }: Context, { context, socketPath }: RunningAgent): void {
  const { hostId, hostName } = context.host;
  const server = context.server?.joined.serverUrl ?? null;
  const facts = { hostId, host: hostName, server, socket: socketPath };
  const where = server === null ? "without a server" : `at ${server}`;
  const text = `this computer is ${hostName} ${where}; its agent listens to you at ${socketPath}`;
  stdout.write(`${json ? JSON.stringify(facts) : text}\n`);
}

/** Only what was typed: what is left out has the agent's default. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as never;
}

/** The agent reads them, and refuses those that guests cannot reach. */
function readResolvers(text: string): readonly string[] {
  return text.split(",").map((address) => address.trim());
}

/** The agent reads the list; what is not one at all is wrong usage. */
function readCores(text: string): string {
  if (/^[\d\s,-]+$/.test(text)) return text;
  throw new InputError(`"${text}" is not a list of cores; write it like 0-3,5`);
}
