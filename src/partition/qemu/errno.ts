import { DriverError } from "../driver.ts";

/** True for an error of the operating system with one of these codes, e.g. ENOENT. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Gives the operating system's refusals that a person can act on their name; others unchanged. */
export function named(error: unknown): unknown {
  if (hasCode(error, "ENOSPC", "EDQUOT")) {
    return new DriverError("disk-full", "the disk that holds the guests is full; free some space", {
      cause: error,
    });
  }
  return error;
}
