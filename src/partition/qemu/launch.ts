import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DriverError } from "../driver.ts";
import { lastLines, openComplaints } from "./complaints.ts";
import { type Confinement, confinedCommand } from "./confinement.ts";
import { hasCode } from "./errno.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { identify, type ProcessIdentity } from "./process-table.ts";
import { QmpError, qmp } from "./qmp.ts";
import { TOOL_PATH } from "./run-tool.ts";
import { killProcess } from "./running.ts";

/** QEMU is up within 0.1 s on a quiet machine; one that swaps is given more. */
const READY_LIMIT_MS = 20_000;
const READY_POLL_MS = 20;
const NOT_THERE = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"];

/**
 * Starts QEMU in a session of its own, so that it outlives the agent, and returns when it answers
 * on its control socket. Throws `port-taken` or `boot-failed` with what it complained about.
 */
export async function launch(
  paths: GuestFolder,
  qemu: readonly string[],
  confinement: Confinement,
): Promise<ProcessIdentity> {
  const socketPath = join(paths.machine, MACHINE_FILES.qmpSocket);
  await rm(socketPath, { force: true });
  const complaints = await openComplaints(paths);
  try {
    const [program = "", ...args] = confinedCommand(qemu, confinement);
    const child = spawn(program, args, {
      cwd: paths.machine,
      // Nothing of the agent's environment, where secrets may be.
      env: { PATH: TOOL_PATH, LC_ALL: "C" },
      detached: true,
      stdio: ["ignore", "ignore", "ignore", complaints.fd],
    });
    const { pid } = child;
    if (pid === undefined) throw (await once(child, "error"))[0];
    let ended = false;
    child.once("exit", () => {
      ended = true;
    });
    child.unref();
    const identity = identify(pid);
    const answered = identity !== null && (await answersQmp(socketPath, () => ended));
    if (answered) return identity;
    if (identity !== null) killProcess(identity);
    throw failureFrom(complaints.read(), ended);
  } catch (error) {
    throw hasCode(error, "EAGAIN", "ENOMEM")
      ? new DriverError("boot-failed", "the host has no room for another process", { cause: error })
      : error;
  } finally {
    complaints.close();
  }
}

async function answersQmp(socketPath: string, ended: () => boolean): Promise<boolean> {
  const until = performance.now() + READY_LIMIT_MS;
  while (performance.now() < until) {
    try {
      await qmp(socketPath, [], READY_LIMIT_MS);
      return true;
    } catch (error) {
      if (ended()) return false;
      // Not listening yet, or it ended while it was asked: the next look tells.
      if (!hasCode(error, ...NOT_THERE) && !(error instanceof QmpError)) throw error;
    }
    await sleep(READY_POLL_MS);
  }
  return false;
}

function failureFrom(complaints: string, ended: boolean): DriverError {
  const said = lastLines(complaints);
  if (/Could not set up host forwarding rule/.test(said)) {
    return new DriverError("port-taken", `the port for the guest is taken: ${said}`);
  }
  const what = ended ? "QEMU ended at its start" : "QEMU did not answer and was ended";
  return new DriverError("boot-failed", `${what}: ${said || "it said nothing"}`);
}
