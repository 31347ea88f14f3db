import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { debian12, holdingDebian } from "../guest/debian-12.ts";
import { smallLinux } from "../guest/small-linux.ts";

/**
 * Builds Debian 12 beside the tests that need no guest, and yields to them, so that on a machine that
 * never built it the guests need not wait. The small Linux comes first: it fetches apt's lists where
 * there are none, and other tests ask apt as well.
 */
export default async function setup(): Promise<() => Promise<void>> {
  await smallLinux();
  const [program = "", ...args] = holdingDebian("nice", "-n", "5", process.execPath, OWN_PATH);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
  // It has the lock, or has ended; whoever wants Debian waits from now on.
  await Promise.race([once(child.stdout, "data"), once(child, "exit"), once(child, "error")]);
  return () => end(child);
}

const OWN_PATH = fileURLToPath(import.meta.url);

/** With all that it started. A build that did not come to its end leaves what was there before. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  process.kill(-child.pid, "SIGTERM");
  await exited;
}

if (import.meta.main) {
  process.stdout.write("it is held\n");
  await debian12({ isHeld: true });
}
