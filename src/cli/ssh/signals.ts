import type { ChildProcess } from "node:child_process";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What this process is told, its child is told: the child decides how both end. */
export function forwardSignals(child: ChildProcess): () => void {
  const handlers = FORWARDED.map((signal) => {
    const handler = () => void child.kill(signal);
    process.on(signal, handler);
    return () => void process.off(signal, handler);
  });
  return () => {
    for (const stop of handlers) stop();
  };
}
