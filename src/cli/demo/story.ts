import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Response } from "../../api/contract/contract.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import { computeHere, DEMO_PROGRAM, demoInput } from "./computation.ts";
import type { DemoFacts } from "./facts.ts";
import { openMarket } from "./open-market.ts";
import { settleUp } from "./settle-up.ts";
import type { Stage } from "./stage.ts";
import type { Teller } from "./teller.ts";

export interface Play {
  readonly stage: Stage;
  readonly teller: Teller;
  readonly imageFolder: string;
}

/** The client's wish. */
const WISH = ["--cpu", "1", "--memory", "192MiB", "--disk", "64MiB", "--os", "small-linux"];
const DURATION = ["--for", "10m"];

type Lease = Response<"bookLease">;

/** The whole of it: requirement, search, lease, work, refusals, end, bill. */
export async function playStory(play: Play): Promise<DemoFacts & { pids: readonly number[] }> {
  const { stage, teller } = play;
  const { verbs } = stage;
  const durationsMs: Record<string, number> = {};
  const timed = async <T>(name: string, what: string, work: Promise<T>): Promise<T> => {
    const since = performance.now();
    const value = await teller.during(what, work);
    durationsMs[name] = Math.round(performance.now() - since);
    return value;
  };
  const market = await openMarket(play, timed);

  teller.say("The client says what it needs, and the server searches its resource database.");
  const search = ["search", ...WISH, ...DURATION, "--as", "client"];
  teller.command(search);
  const found = await timed("search", "searching", verbs.do<Response<"search">>(...search));
  const [match] = found.matches;
  if (!match) throw new Error("the search found nothing");
  teller.detail(
    `${match.host.name}/${match.partition?.name} fits${match.recut ? ", re-cut to size" : ""}: at most ${money(match.quote.totalMicros)} for it`,
  );

  teller.say("The client books it. The partition is re-cut, the small Linux boots in it.");
  const create = ["lease", "create", ...WISH, ...DURATION, "--yes", "--as", "client"];
  teller.command(create);
  const since = performance.now();
  const { leaseId } = await verbs.do<Lease>(...create);
  const lease = await timed("ready", "the partition boots", ready(play, leaseId));
  teller.say(
    `The way in has arrived: ${lease.access?.user}@${lease.access?.address} port ${lease.access?.port}, host key pinned.`,
  );

  const guest = await readGuest(play, leaseId);
  durationsMs.leaseToFirstCommand = Math.round(performance.now() - since);
  teller.detail(`the guest itself says: ${guest.guestOs}, kernel ${guest.guestKernel}`);

  const refusals = { server: "", agent: "" };
  const work = compute(play, leaseId);
  const attempts = tryToResize(play).then((codes) => Object.assign(refusals, codes));
  const [resultEqual] = await Promise.all([timed("computation", "it computes", work), attempts]);
  tellRefusals(play, refusals);

  const settled = await settleUp(play, leaseId, timed);
  durationsMs.total = teller.elapsedMs();
  return {
    durationsMs,
    ids: {
      serverId: market.serverId,
      hostId: lease.host.id,
      partitionId: lease.partition.id,
      imageId: lease.image.imageId,
      leaseId,
      billId: settled.billId,
    },
    leases: [{ leaseId, ...guest }],
    refusals,
    resultEqual,
    billTotal: formatMoneyMicros(BigInt(settled.totalMicros)),
    billTotalMicros: settled.totalMicros,
    currency: settled.currency,
    verified: settled.verified,
    export: settled.export,
    pids: [market.serverPid, market.agentPid].filter((pid) => pid !== undefined),
  };
}

function money(micros: string): string {
  return `${formatMoneyMicros(BigInt(micros))} EUR`;
}

async function ready({ stage: { verbs }, teller }: Play, leaseId: string): Promise<Lease> {
  let told = 0;
  for (;;) {
    const shown = await verbs.do<Response<"showLease">>("lease", "show", leaseId, "--as", "client");
    for (const event of shown.events.slice(told)) {
      const step = event.detail.step ?? event.reason ?? "";
      teller.detail(`${event.kind}${step ? `: ${step}` : ""}`);
    }
    told = shown.events.length;
    const { state, reason } = shown.lease;
    if (state === "ready") return shown.lease;
    if (state === "ending" || state === "ended") throw new Error(`the lease ended: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
}

async function readGuest({ stage: { verbs } }: Play, leaseId: string) {
  const script =
    '. /etc/os-release; echo "$PRETTY_NAME"; uname -r; cat /proc/sys/kernel/random/boot_id';
  const { stdout } = await verbs.do<Ran>("run", "--lease", leaseId, "--as", "client", "--", script);
  const [guestOs = "", guestKernel = "", guestBootId = ""] = stdout.trim().split("\n");
  return { guestOs, guestKernel, guestBootId };
}

async function compute({ stage, teller }: Play, leaseId: string): Promise<boolean> {
  const { verbs, folder } = stage;
  const input = demoInput();
  const inputPath = join(folder, "numbers.txt");
  const resultPath = join(folder, "result.txt");
  await writeFile(inputPath, input);
  teller.say("A file goes up, a computation on it runs in the partition, its output is streamed.");
  const upload = ["cp", inputPath, `${leaseId}:/data/numbers.txt`, "--as", "client"];
  teller.command(upload);
  await verbs.do(...upload);
  const run = ["run", "--lease", leaseId, "--as", "client", "--", DEMO_PROGRAM];
  teller.command([...run.slice(0, -1), "awk … /data/numbers.txt"]);
  const exitCode = await verbs.attached(...run);
  if (exitCode !== 0) throw new Error(`the computation ended with ${exitCode}`);
  const download = ["cp", `${leaseId}:/data/result.txt`, resultPath, "--as", "client"];
  teller.command(download);
  await verbs.do(...download);
  const equal = (await readFile(resultPath, "utf8")) === computeHere(input);
  teller.detail(
    equal
      ? "the result is the same, to the byte, as the same computation done here"
      : "the result DIFFERS from the same computation done here",
  );
  return equal;
}

async function tryToResize({ stage }: Play): Promise<{ server: string; agent: string }> {
  const { verbs, agentSocket } = stage;
  const size = ["--cpu", "1", "--memory", "128MiB", "--disk", "64MiB"];
  const atServer = await verbs.ask("partition", "set", "h1", "lend", ...size, "--as", "lender");
  const atAgent = await verbs.ask("partition", "set", "lend", ...size, "--agent", agentSocket);
  const code = (answer: typeof atServer) => (answer.ok ? "done" : answer.code);
  return { server: code(atServer), agent: code(atAgent) };
}

function tellRefusals({ teller }: Play, refusals: { server: string; agent: string }): void {
  teller.say("Meanwhile somebody tried to resize the partition under the client's feet.");
  teller.detail(`the server: ${refusals.server}`);
  teller.detail(`the agent, over its local socket: ${refusals.agent}`);
}
