import { Socket } from "node:net";

/** How long this process may take to end itself once nobody waits for it any more. */
const GRACE_MS = 20_000;

/**
 * The launcher holds the other end of this pipe: when it ends, however it was killed, so does
 * this process, as if it had been told to by SIGTERM.
 */
export function endWithLauncher(fd: number | undefined): void {
  if (fd === undefined) return;
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.once("error", () => pipe.destroy());
  pipe.once("close", () => {
    setTimeout(() => process.kill(process.pid, "SIGKILL"), GRACE_MS).unref();
    process.kill(process.pid, "SIGTERM");
  });
  pipe.resume();
  pipe.unref();
}
