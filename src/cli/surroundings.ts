import type { Readable, Writable } from "node:stream";
import { type Clock, systemClock } from "../unit/clock.ts";
import type { Environment } from "./environment.ts";

/** A stream that may be a terminal. */
export type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a run of the command line touches; tests give their own. */
export interface Surroundings {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Between attempts, when not by the system's timer: tests do not wait. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Screen;
  readonly stderr: Screen;
}

export function processSurroundings(environment: Environment): Surroundings {
  const { stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on("error", quietBrokenPipe);
  return { environment, clock: systemClock, stdin, stdout, stderr };
}

/**
 * `sublet lease list | head -1` is no failure: the reader has what it wanted. Nor is a terminal that
 * was closed: what is under way there may have a lease to end.
 */
function quietBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
}
