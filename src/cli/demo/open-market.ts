import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { Play } from "./story.ts";

export type Timed = <T>(name: string, what: string, work: Promise<T>) => Promise<T>;

export interface OpenedMarket {
  readonly serverId: string;
  readonly serverPid: number | undefined;
  readonly agentPid: number | undefined;
}

/** Server, parties, image, host, partitions, offer: everything before the first wish. */
export async function openMarket(play: Play, timed: Timed): Promise<OpenedMarket> {
  const { stage, teller, imageFolder } = play;
  const { verbs } = stage;
  teller.say("A management server starts, with a database of its own.");
  const { url, operatorKey, pid } = await timed("server", "it starts", stage.startServer());
  const login = (key: string, as: string) => verbs.do("login", url, "--key", key, "--as", as);
  await login(operatorKey, "operator");
  const { serverId } = await createClient({ url }).call("describeServer");

  teller.say("The operator lets in a lender and a client, who brings 10.00 EUR.");
  for (const role of ["lender", "client"]) {
    const add = ["party", "add", role, "--role", role, "--as", "operator"];
    teller.command(add);
    const { key } = await verbs.do<Response<"addParty">>(...add);
    await login(key, role);
  }
  await verbs.do("account", "deposit", "client", "10.00", "--as", "operator");

  teller.say("A small Linux is put on the file server.");
  const addImage = ["image", "add", imageFolder, "--as", "operator"];
  teller.command(addImage.with(2, "small-linux"));
  await timed("image", "uploading", verbs.do(...addImage));

  teller.say("This computer becomes a host.");
  const addHost = ["host", "add", "h1", "--as", "lender"];
  teller.command(addHost);
  const { joinToken } = await verbs.do<Response<"addHost">>(...addHost);
  const agent = stage.startAgent(joinToken);
  const host = await timed("host", "its agent joins", enrolled(play));
  const { base, facts } = host;
  teller.detail(
    `base: ${formatCpu(base.cpuMilli)} cores, ${formatBytes(base.memoryBytes)} of memory; ${facts?.accelerator.toUpperCase()} (${facts?.acceleratorReason})`,
  );

  teller.say("Its lender cuts it into two partitions: one to lend, one to keep.");
  const lend = ["--cpu", "1", "--memory", "256MiB", "--disk", "128MiB", "--lendable"];
  const own = ["--cpu", "0.5", "--memory", "256MiB", "--disk", "128MiB", "--shared"];
  await tell("partition", "set", "h1", "lend", ...lend, "--as", "lender");
  await tell("partition", "set", "h1", "own", ...own, "--not-lendable", "--as", "lender");
  const prices = ["--price-core", "36.00/h", "--price-memory", "3.60/h"];
  const lengths = ["--min-lease", "1m", "--max-lease", "1d"];
  await tell("offer", "set", "h1", "lend", ...prices, ...lengths, "--as", "lender");
  teller.detail("(prices are high so that seconds can be seen on the bill)");
  return { serverId, serverPid: pid(), agentPid: agent.pid() };

  async function tell(...argv: string[]): Promise<void> {
    teller.command(argv);
    await verbs.do(...argv);
  }
}

async function enrolled({ stage: { verbs } }: Play) {
  for (;;) {
    const { hosts } = await verbs.do<Response<"listHosts">>("host", "list", "--as", "lender");
    const host = hosts.find((one) => one.state === "seen");
    if (host) return host;
    await sleep(200);
  }
}
