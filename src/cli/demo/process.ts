import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { extname, join } from "node:path";

/** A server or agent of the story. One that is killed is started again, as an operator's init would. */
export interface Kept {
  readonly name: string;
  pid(): number | undefined;
  /** The first line that it wrote to standard output. */
  readonly firstLine: Promise<string>;
  /** From now on its end is nobody's concern. */
  release(): void;
  /** Tells it to stop, and waits until it has; ends it by force after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** The program itself: in a clone as it is written, in a package compiled. */
const MAIN = join(import.meta.dirname, "..", `main${extname(import.meta.filename)}`);
const AGAIN_MS = 300;
/** It ended this often by itself: something is wrong that starting again does not mend. */
const STARTS_MAX = 10;

export interface KeepOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly logPath: string;
  /** Where agents of one computer find each other. */
  readonly runFolder: string;
  /** Tied to this process: it ends when we do, however. */
  readonly tied: boolean;
  readonly onRestart: (line: string) => void;
  readonly onGaveUp: (error: Error) => void;
}

export function keepRunning(options: KeepOptions): Kept {
  const { name, argv, logPath, tied } = options;
  const { promise: firstLine, resolve } = Promise.withResolvers<string>();
  let child: ChildProcess;
  let wanted = true;
  let starts = 0;
  const start = () => {
    starts += 1;
    const log = openSync(logPath, "a", 0o600);
    child = spawn(process.execPath, [MAIN, ...argv], {
      stdio: ["ignore", "pipe", log, tied ? "pipe" : "ignore"],
      // The person's own PostgreSQL is not for a story; the server has one of its own.
      env: {
        ...process.env,
        DATABASE_URL: "",
        // Nor are this computer's other agents: what is played here is lent to nobody.
        SUBLET_RUN: options.runFolder,
        ...(tied ? { SUBLET_LAUNCHER_FD: "3" } : {}),
      },
      // A session of its own: Ctrl-C is for the story, which then ends everything in order.
      detached: true,
    });
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.once("exit", (code, signal) => {
      if (!wanted) return;
      if (starts >= STARTS_MAX) {
        options.onGaveUp(new Error(`the ${name} keeps ending (${signal ?? code}); see ${logPath}`));
        return;
      }
      options.onRestart(`the ${name} was ended (${signal ?? `exit ${code}`}); it is started again`);
      setTimeout(() => {
        if (wanted) start();
      }, AGAIN_MS);
    });
  };
  start();
  return {
    name,
    pid: () => child.pid,
    firstLine,
    release: () => {
      wanted = false;
      child.stdout?.destroy();
      child.unref();
    },
    stop: async (graceMs) => {
      wanted = false;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((done) => child.once("exit", () => done()));
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(force);
    },
  };
}
