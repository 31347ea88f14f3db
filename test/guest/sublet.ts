import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./small-linux.ts";

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of what was printed under `--json`, also when it was a refusal. */
  json<T>(): T;
  /** The refusal that was printed under `--json`. */
  error(): { readonly code: string; readonly message: string };
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A program that runs it somewhere else, like `nsenter --net=…`. */
  readonly within?: readonly string[];
  /** In the network namespace of that process. */
  readonly networkOf?: number;
}

/** Runs `sublet` as a person would, as a process. Its input is empty unless it is given one. */
export async function sublet(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { networkOf, within = [] } = options;
  const there = networkOf === undefined ? [] : inNetworkOf(networkOf);
  const [program = "", ...words] = [...within, ...there, process.execPath];
  const child = spawn(program, [...words, join(ROOT, "src/cli/main.ts"), ...argv], {
    env: { ...ownEnvironment(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // One that ends without reading its input has closed it.
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(options.stdin ?? "");
  const [exitCode] = await once(child, "close");
  const said = Buffer.concat(stdout).toString("utf8");
  const complaints = Buffer.concat(stderr).toString("utf8");
  const json = () => {
    try {
      return JSON.parse(said);
    } catch (cause) {
      const what = `sublet ${argv.join(" ")} (${exitCode}): ${said}${complaints}`;
      throw new Error(`no JSON came from ${what}`, { cause });
    }
  };
  return { exitCode, stdout: said, stderr: complaints, json, error: () => json().error };
}

/** In the network namespace of that process, under the same process number. */
export function inNetworkOf(pid: number): readonly string[] {
  return ["nsenter", "--net", "-t", `${pid}`];
}

/** What a test run was started with is not for the processes that it tests. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const names = ["PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LANG"];
  const own = Object.fromEntries(
    names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  // Agents of other test runs on this computer are not these tests' neighbours.
  return { ...own, SUBLET_RUN: join(runRoot(), `run-${process.pid}`) };
}

/** Within the run's own folder, which goes when the run ends. */
function runRoot(): string {
  return process.env.SUBLET_TEST_FOLDER ?? tmpdir();
}
