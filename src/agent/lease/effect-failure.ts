import { UnreachableError } from "../../api/client/error.ts";
import { DriverError, type DriverErrorCode } from "../../partition/driver.ts";
import { isDatabaseFull } from "../state/room.ts";

/**
 * How often an effect is tried again: `bounded` a few times, then the lease fails; `never` at all;
 * `always` until the lease's end, since the cause is not the lease's.
 */
export type Retry = "bounded" | "never" | "always";

/** An effect on a lease that did not succeed. */
export class EffectFailure extends Error {
  override name = "EffectFailure";
  readonly code: string;
  readonly retry: Retry;

  constructor(code: string, message: string, retry: Retry, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retry = retry;
  }
}

const DRIVER_RETRY: Readonly<Record<DriverErrorCode, Retry>> = {
  "qemu-missing": "never",
  "tool-missing": "never",
  unsupported: "never",
  "image-too-big": "never",
  "disk-references-files": "never",
  "disk-unreadable": "never",
  "fractions-unsupported": "never",
  "resize-refused": "never",
  "boot-failed": "bounded",
  "internet-unsupported": "bounded",
  "port-taken": "bounded",
  "disk-full": "bounded",
  "guest-alive": "always",
};

/** Gives any failure its name. What nobody foresaw is tried a few times like a failed boot. */
export function nameFailure(error: unknown): EffectFailure {
  if (error instanceof EffectFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DriverError) {
    return new EffectFailure(error.code, message, DRIVER_RETRY[error.code], { cause: error });
  }
  if (error instanceof UnreachableError) {
    return new EffectFailure(error.code, message, "always", { cause: error });
  }
  if (isDiskFull(error)) {
    const text = "the host's disk is full; the lender must free some space";
    return new EffectFailure("disk-full", text, "bounded", { cause: error });
  }
  return new EffectFailure("agent-failed", message, "bounded", { cause: error });
}

export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT" || isDatabaseFull(error);
}
