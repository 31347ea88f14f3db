import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "../../api/contract/contract.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { OpenedServer } from "./open-server.ts";
import type { Play, Timed } from "./story.ts";

export interface OpenedMarket {
  /** By name: what a partition has when it is not lent. */
  readonly standingMemoryBytes: Readonly<Record<string, number>>;
}

/** A whole core, part of another, and what the lender keeps. */
const PARTITIONS = [
  ["big", "--cpu", "1", "--memory", "512MiB", "--disk", "1GiB", "--lendable"],
  ["part", "--cpu", "0.5", "--shared", "--memory", "256MiB", "--disk", "128MiB", "--lendable"],
  ["own", "--cpu", "0.25", "--shared", "--memory", "128MiB", "--disk", "64MiB", "--not-lendable"],
] as const;

/** Parties, images, host, partitions, offer: everything before the first wish. */
export async function openMarket(
  play: Play,
  server: OpenedServer,
  timed: Timed,
): Promise<OpenedMarket> {
  const { stage, teller, images } = play;
  const { verbs } = stage;
  teller.say("The operator lets in a lender and a client, who brings 100.00 EUR.");
  await server.letIn("lender", "lender");
  await server.letIn("client", "client");
  await verbs.do("account", "deposit", "client", "100.00", "--as", "operator");

  teller.say("Two operating systems are put on the file server: a small Linux, and a Debian 12.");
  await server.addImage("small-linux", images.smallLinux);
  await server.addImage("debian-12", images.debian);

  teller.say("This computer becomes a host.");
  const addHost = ["host", "add", "h1", "--as", "lender"];
  teller.command(addHost);
  const { joinToken } = await verbs.do<Response<"addHost">>(...addHost);
  stage.startAgent("agent", "--join", joinToken);
  const host = await timed("host", "its agent joins", enrolled(play, "lender"));
  const { base, facts } = host;
  teller.detail(
    `base: ${formatCpu(base.cpuMilli)} cores, ${formatBytes(base.memoryBytes)} of memory; ${facts?.accelerator.toUpperCase()} (${facts?.acceleratorReason})`,
  );

  teller.say("Its lender cuts it into three partitions: two to lend, one to keep.");
  const standingMemoryBytes: Record<string, number> = {};
  for (const [name, ...size] of PARTITIONS) {
    const set = ["partition", "set", "h1", name, ...size, "--as", "lender"];
    teller.command(set);
    const partition = await verbs.do<Response<"setPartition">>(...set);
    standingMemoryBytes[name] = partition.size.memoryBytes;
  }
  const lengths = ["--min-lease", "1m", "--max-lease", "1d"];
  const memory = ["--price-memory", "3.60/h"];
  await tell("offer", "set", "h1", "big", "--price-core", "36.00/h", ...memory, ...lengths);
  await tell("offer", "set", "h1", "part", "--price-shared-core", "36.00/h", ...memory, ...lengths);
  teller.detail("(prices are high so that seconds can be seen on the bill)");
  return { standingMemoryBytes };

  async function tell(...typed: string[]): Promise<void> {
    const argv = [...typed, "--as", "lender"];
    teller.command(argv);
    await verbs.do(...argv);
  }
}

/** The one host of a party, once its agent has joined. */
export async function enrolled({ stage: { verbs } }: Play, party: string) {
  for (;;) {
    const { hosts } = await verbs.do<Response<"listHosts">>("host", "list", "--as", party);
    const host = hosts.find((one) => one.state === "seen");
    if (host) return host;
    await sleep(200);
  }
}
