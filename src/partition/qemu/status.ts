import { join } from "node:path";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { qmp } from "./qmp.ts";

/** Why a guest whose process is still there does not run; null when it runs. */
export type ExitReason = "guest-powered-off" | "guest-crashed" | "machine-failed";

const STATUS_LIMIT_MS = 2000;

/**
 * Asks QEMU what the guest does. Throws when QEMU does not answer, which says nothing about the
 * guest: its process is alive.
 */
export async function exitReasonOf(paths: GuestFolder): Promise<ExitReason | null> {
  const socketPath = join(paths.machine, MACHINE_FILES.qmpSocket);
  const [answer] = await qmp(socketPath, [{ execute: "query-status" }], STATUS_LIMIT_MS);
  return exitReasonOfStatus(answer);
}

/** QEMU's RunState (qapi/run-state.json) in this product's words. */
export function exitReasonOfStatus(answer: unknown): ExitReason | null {
  const status =
    typeof answer === "object" && answer !== null && "status" in answer ? answer.status : null;
  switch (status) {
    case "shutdown":
      return "guest-powered-off";
    case "guest-panicked":
      return "guest-crashed";
    case "internal-error":
    case "io-error":
    case "watchdog":
      return "machine-failed";
    default:
      return null;
  }
}
