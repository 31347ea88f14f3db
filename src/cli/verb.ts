import type { Argument, Option } from "commander";
import type { Context, Outcome } from "./context.ts";

/** One verb: how it is typed, what its help says, and what it does. */
export interface VerbSpec<Input> {
  /** Name and arguments as commander writes them: `set <host> <name>`. */
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly [string, ...string[]];
  /** Further lines of its help. */
  readonly more?: string;
  /** Arguments that `usage` cannot say, such as those with choices. */
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  /** Whether it speaks to a server as somebody and so takes `--as`, `--server` and `--key`. */
  readonly speaksAs?: boolean;
  /** Behind its first argument is somebody's command, up to `--` with our long flags in it. */
  readonly passThrough?: boolean;
  /** Options that it does not know are no wrong usage: it refuses anyway. */
  readonly takesAnything?: boolean;
  /** What is meant when a group is named and none of its verbs. */
  readonly isDefault?: boolean;
  /** Left out of the help. */
  readonly hidden?: boolean;
  /** The exit code of failures of ours; by default 1, and 2 for wrong usage. */
  readonly failureExitCode?: number;
  /** `input` holds options and arguments under their names. */
  run(context: Context, input: Input): Promise<Outcome>;
}

export type Verb = VerbSpec<never>;

/** Verbs under a common noun: `lease create`. */
export interface VerbGroup {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Verb[];
}

/** Keeps `Input` checked inside the verb; outside, verbs are alike. */
export function verb<Input>(spec: VerbSpec<Input>): Verb {
  return spec as unknown as Verb;
}
