import { cpus } from "node:os";
import { join } from "node:path";
import type { DemoFacts } from "./facts.ts";
import { type Stage, setStage } from "./stage.ts";
import { type Play, playStory, type Told } from "./story.ts";
import type { StoryPart } from "./story-part.ts";
import { createTeller, type Teller } from "./teller.ts";

export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  readonly dataFolder?: string;
  readonly debug?: boolean;
  /** Both parts of the story by default. */
  readonly only?: StoryPart;
  /** Where a package keeps what it builds. */
  readonly cacheFolder: string;
}

/** In a clone its own; a package may belong to somebody else. */
const CLONE_CACHE = join(import.meta.dirname, "../../../.cache");
const isClone = import.meta.filename.endsWith(".ts");

/** Does the main job for real, on this computer alone, and tells it. Gives the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  if (cpus().length < 2) {
    process.stderr.write("sublet: the demo needs two cores: one to lend and one to live on\n");
    return 1;
  }
  const cacheFolder = isClone ? CLONE_CACHE : options.cacheFolder;
  const images = await buildImages(cacheFolder);
  const teller = createTeller(process.stdout);
  const stage = await setStage(
    { dataFolder: options.dataFolder, keep: options.keep, debug: options.debug ?? false },
    teller,
  );
  const stopped = Promise.withResolvers<never>();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = (signal: NodeJS.Signals) =>
    stopped.reject(new Error(`told to stop (${signal})`));
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const exportFolder = join(cacheFolder, "demo");
    const { only } = options;
    const given = only === undefined ? {} : { only };
    const story = playStory({ stage, teller, images, exportFolder, ...given });
    const told = await Promise.race([story, stage.broken, stopped.promise]);
    const pids = stage.pids();
    if (options.keep) {
      stage.leave();
      tellHowToGoOn(stage, teller, told);
    } else {
      await stage.clear();
      teller.say("Everything is taken away again: no process, no file is left.");
    }
    const kept = options.keep ? { pids, folder: stage.folder } : {};
    if (options.json) process.stdout.write(`${JSON.stringify({ ...factsOf(told), ...kept })}\n`);
    return isAsPromised(told) ? 0 : 1;
  } catch (error) {
    teller.say(`The story ends here: ${(error as Error).message}`);
    if (options.keep) {
      stage.leave();
      teller.detail(`what it did lies in ${stage.folder}; the *.log files tell more`);
    } else {
      await stage.clear();
      teller.detail("everything was taken away; with --keep it stays to be looked at");
    }
    return 1;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** One document: what was left out is not in it. */
function factsOf({ durationsMs, lending, capacity }: Told): Partial<DemoFacts> {
  return { durationsMs, ...lending, ...(capacity === null ? {} : { capacity }) };
}

function isAsPromised({ lending, capacity }: Told): boolean {
  const isLent = lending === null || (lending.verified && lending.resultEqual);
  return isLent && (capacity === null || "skipped" in capacity || capacity.verified);
}

function tellHowToGoOn(stage: Stage, teller: Teller, { lending, capacity }: Told): void {
  teller.say("It is left running. Go on with it, or stop it:");
  teller.detail(
    `export SUBLET_CONFIG=${stage.configFolder} SUBLET_RUN=${join(stage.folder, "run")}`,
  );
  if (lending !== null) teller.detail("sublet whoami --as client; sublet host list --as lender");
  if (capacity !== null && !("skipped" in capacity)) {
    teller.detail("sublet bill list --as vendor; sublet capacity list --as owner");
  }
  if (lending === null && capacity !== null && "shared" in capacity) {
    const at = `--agent ${stage.socketOf("standby")}`;
    teller.detail(`sublet capacity show ${at}; sublet partition list ${at}`);
    // They outlive their agent.
    const guests = "skipped" in capacity.shared ? [] : Object.keys(capacity.shared.kernelNs);
    for (const name of guests) teller.detail(`sublet partition wipe ${name} --yes ${at}`);
  }
  teller.detail(`kill ${stage.pids().join(" ")}; rm -r ${stage.folder}`);
}

/** Counts as installation: cached, and made anew only when its parts have changed. */
async function buildImages(cache: string): Promise<Play["images"]> {
  const { buildSmallLinux } = await import("../../../tools/small-linux/build.ts");
  const { buildDebian12 } = await import("../../../tools/debian-12/build.ts");
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const smallLinux = await buildSmallLinux({
    outputFolder: join(cache, "small-linux"),
    cacheFolder: join(cache, "packages"),
    log,
  });
  const debian = await buildDebian12({ outputFolder: join(cache, "debian-12"), log });
  return { smallLinux: smallLinux.folder, debian: debian.folder };
}
