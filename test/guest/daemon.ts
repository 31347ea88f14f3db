import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./small-linux.ts";
import { ownEnvironment } from "./sublet.ts";

/** A server or agent as a process of its own, which ends with this one however that ends. */
export interface Daemon {
  readonly logPath: string;
  pid(): number;
  /** Starts it, for the first time or again; gives the JSON that it announces itself with. */
  start<T>(...more: string[]): Promise<T>;
  /** SIGKILL, nothing else; returns when it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 15_000;

/** `within`: a program that runs it somewhere else, like `nsenter --net=…`. */
export function createDaemon(
  argv: readonly string[],
  logPath: string,
  within: readonly string[] = [],
): Daemon {
  let child: ChildProcess | undefined;
  const end = async (signal: "SIGTERM" | "SIGKILL") => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    const running = child;
    child.kill(signal);
    const force = setTimeout(() => running.kill("SIGKILL"), STOP_GRACE_MS);
    await ended;
    clearTimeout(force);
  };
  return {
    logPath,
    pid: () => child?.pid ?? Number.NaN,
    start: async (...more) => {
      await end("SIGTERM");
      const log = openSync(logPath, "a", 0o600);
      const [program = process.execPath, ...rest] = [...within, process.execPath];
      const started = spawn(
        program,
        [...rest, join(ROOT, "src/cli/main.ts"), ...argv, ...more, "--json"],
        {
          stdio: ["ignore", "pipe", log, "pipe"],
          env: { ...ownEnvironment(), SUBLET_LAUNCHER_FD: "3" },
          detached: true,
        },
      );
      child = started;
      return JSON.parse(await firstLine(started, logPath));
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

function firstLine(child: ChildProcess, logPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.once("exit", (code, signal) => {
      const log = readFileSync(logPath, "utf8").slice(-2000);
      reject(new Error(`it ended at its start (${signal ?? code}): ${text}${log}`));
    });
  });
}
