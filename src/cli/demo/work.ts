import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { computeHere, DEMO_PROGRAM, demoInput } from "./computation.ts";
import type { Play } from "./story.ts";

/** A file up, a computation on it, its result down. True when it is what is computed here. */
export async function compute({ stage, teller }: Play, leaseId: string): Promise<boolean> {
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

export interface Refusals {
  readonly server: string;
  readonly agent: string;
}

/** What the server and the agent say to whoever would change a partition that is in use. */
export async function tryToResize({ stage }: Play, partition: string): Promise<Refusals> {
  const { verbs } = stage;
  const size = ["--cpu", "0.5", "--memory", "128MiB", "--disk", "64MiB"];
  const set = ["partition", "set"];
  const atServer = await verbs.ask(...set, "h1", partition, ...size, "--shared", "--as", "lender");
  const atAgent = await verbs.ask(...set, partition, ...size, "--agent", stage.socketOf("agent"));
  const code = (answer: typeof atServer) => (answer.ok ? "done" : answer.code);
  return { server: code(atServer), agent: code(atAgent) };
}

export function tellRefusals({ teller }: Play, refusals: Refusals): void {
  teller.say("While it computed, somebody tried to resize the partition under the client's feet.");
  teller.detail(`the server: ${refusals.server}`);
  teller.detail(`the agent, over its local socket: ${refusals.agent}`);
}
