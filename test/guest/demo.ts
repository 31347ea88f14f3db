import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoFacts } from "../../src/cli/demo/facts.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { debian12 } from "./debian-12.ts";
import { hireJanitor } from "./janitor.ts";
import { end, processesIn } from "./processes.ts";
import { ROOT, smallLinux } from "./small-linux.ts";
import { ownEnvironment } from "./sublet.ts";

/** `sublet demo --json`, and what is typed besides, as a process, with a temporary folder in which nothing else is. */
export interface PlayedDemo {
  /** What it has told until now. */
  told(): string;
  /** Waits until it has told this. */
  tells(line: string): Promise<void>;
  /** SIGKILL to its server or agent. */
  kill(which: "server" | "agent"): void;
  /** To the demo itself. */
  signal(signal: "SIGINT" | "SIGKILL"): void;
  readonly ended: Promise<{ readonly exitCode: number | null; readonly facts: DemoFacts | null }>;
  leftOvers(): readonly string[];
  close(): Promise<void>;
}

export async function playDemo(...typed: string[]): Promise<PlayedDemo> {
  await smallLinux();
  await debian12();
  const temporary = makeTempFolder("story");
  const folder = temporary.path;
  const janitor = hireJanitor(folder);
  const argv = [join(ROOT, "bin/sublet.js"), "demo", "--json", ...typed];
  const child = spawn(process.execPath, argv, {
    // A database that nobody answers at: the story has one of its own.
    env: { ...ownEnvironment(), TMPDIR: folder, DATABASE_URL: "postgres://127.0.0.1:1/nothing" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (told += text));
  const ended = once(child, "close").then(([exitCode]) => ({
    exitCode: exitCode as number | null,
    facts: factsIn(told),
  }));
  const processes = () => processesIn(folder).filter(({ pid }) => pid !== janitor.pid);
  return {
    told: () => told,
    tells: async (line) => {
      const limitMs = 60_000;
      for (const end = performance.now() + limitMs; !told.includes(line); await sleep(20)) {
        if (performance.now() > end) throw new Error(`"${line}" was not told: ${told}`);
      }
    },
    kill: (which) => {
      const command = new RegExp(`main\\.ts ${which} --data `);
      const found = processes().find(({ line }) => command.test(line));
      if (found === undefined) throw new Error(`no ${which} runs`);
      process.kill(found.pid, "SIGKILL");
    },
    signal: (signal) => child.kill(signal),
    ended,
    leftOvers: () => [...readdirSync(folder), ...processes().map(({ line }) => line)],
    close: async () => {
      child.kill("SIGKILL");
      for (const { pid } of processes()) end(pid);
      await ended;
      temporary.remove();
      janitor.dismiss();
    },
  };
}

/** The last line, when it is one of facts. */
function factsIn(told: string): DemoFacts | null {
  const last = told.trimEnd().split("\n").at(-1) ?? "";
  return last.startsWith("{") ? (JSON.parse(last) as DemoFacts) : null;
}
