import { cpus } from "node:os";
import { join } from "node:path";
import { setStage } from "./stage.ts";
import { type Play, playStory } from "./story.ts";
import { createTeller } from "./teller.ts";

export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  readonly dataFolder?: string;
  readonly debug?: boolean;
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
  const told = Promise.withResolvers<never>();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = (signal: NodeJS.Signals) => told.reject(new Error(`told to stop (${signal})`));
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const story = playStory({ stage, teller, images, exportFolder: join(cacheFolder, "demo") });
    const facts = await Promise.race([story, stage.broken, told.promise]);
    if (options.keep) {
      stage.leave();
      teller.say("It is left running. Go on with it, or stop it:");
      teller.detail(`export SUBLET_CONFIG=${stage.configFolder}`);
      teller.detail("sublet whoami --as client; sublet host list --as lender");
      teller.detail(`kill ${facts.pids.join(" ")}; rm -r ${stage.folder}`);
    } else {
      await stage.clear();
      teller.say("Everything is taken away again: no process, no file is left.");
    }
    const { pids, ...shown } = facts;
    const line = options.keep ? { ...shown, pids, folder: stage.folder } : shown;
    if (options.json) process.stdout.write(`${JSON.stringify(line)}\n`);
    return facts.verified && facts.resultEqual ? 0 : 1;
  } catch (error) {
    teller.say(`The story ends here: ${(error as Error).message}`);
    if (options.keep) {
      stage.leave();
      teller.detail(`what it did lies in ${stage.folder}; server.log and agent.log tell more`);
    } else {
      await stage.clear();
      teller.detail("everything was taken away; with --keep it stays to be looked at");
    }
    return 1;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
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
