import type { Surroundings } from "./surroundings.ts";

/** The options that every verb which talks to a server takes. */
export interface CommonOptions {
  readonly json?: boolean;
  /** False with `--no-color`. */
  readonly color?: boolean;
  readonly as?: string;
  readonly server?: string;
  readonly key?: string;
}

/** What a verb is given besides its own input. */
export interface Context extends Surroundings {
  readonly json: boolean;
  readonly common: CommonOptions;
  /** What was typed behind the verb's name. */
  readonly typed: readonly string[];
}

/** What a verb found or did: one JSON document for programs, text for people. */
export interface Outcome {
  /** Undefined: the verb has printed what there is. */
  readonly json: unknown;
  readonly text: string;
  /** 0 unless told otherwise. */
  readonly exitCode?: number;
}
