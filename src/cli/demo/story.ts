import type { LendingFacts, StandbyFacts } from "./facts.ts";
import { playLending } from "./lending.ts";
import { openServer } from "./open-server.ts";
import type { Stage } from "./stage.ts";
import { playStandby } from "./standby/play.ts";
import type { StoryPart } from "./story-part.ts";
import type { Teller } from "./teller.ts";

export interface Play {
  readonly stage: Stage;
  readonly teller: Teller;
  readonly images: { readonly smallLinux: string; readonly debian: string };
  /** Where the evidence of its bills is left. */
  readonly exportFolder: string;
  /** Of the two; both by default. */
  readonly only?: StoryPart;
}

/** Says what takes so long, and notes how long it took, in milliseconds, under a name. */
export type Timed = <T>(name: string, what: string, work: Promise<T>) => Promise<T>;

export interface Told {
  /** Milliseconds. */
  readonly durationsMs: Record<string, number>;
  /** Null: left out. */
  readonly lending: LendingFacts | null;
  readonly capacity: StandbyFacts | null;
}

/** All of it, or the part that was asked for. */
export async function playStory(play: Play): Promise<Told> {
  const { teller, only } = play;
  const durationsMs: Record<string, number> = {};
  const timed: Timed = async (name, what, work) => {
    const since = performance.now();
    const value = await teller.during(what, work);
    durationsMs[name] = Math.round(performance.now() - since);
    return value;
  };
  const server = await openServer(play, timed);
  const lending = only === "standby" ? null : await playLending(play, server, timed, durationsMs);
  const capacity = only === "lending" ? null : await playStandby(play, server, timed);
  durationsMs.total = teller.elapsedMs();
  return { durationsMs, lending, capacity };
}
