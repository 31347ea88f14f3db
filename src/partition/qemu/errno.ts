import { stat } from "node:fs/promises";
import { DriverError } from "../driver.ts";

/** True for an error of the operating system with one of these codes, e.g. ENOENT. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Whether there is something at `path`; what keeps the answer from being known is thrown. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    },
  );
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
