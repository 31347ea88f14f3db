import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { EXIT_OURS } from "../failure.ts";
import { missing, type OpenSshProgram } from "./programs.ts";
import { forwardSignals } from "./signals.ts";

/** Runs ssh or scp with this terminal's own input and output; gives its exit code. */
export async function runAttached(
  program: OpenSshProgram,
  args: readonly string[],
): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit" });
  const stopForwarding = forwardSignals(child);
  try {
    return await exitCodeOf(program, child);
  } finally {
    stopForwarding();
  }
}

export interface Captured {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The same with its output collected, for `--json`. */
export async function runCaptured(
  program: OpenSshProgram,
  args: readonly string[],
): Promise<Captured> {
  const child = spawn(program, args, { stdio: ["inherit", "pipe", "pipe"] });
  const stopForwarding = forwardSignals(child);
  try {
    const [exitCode, stdout, stderr] = await Promise.all([
      exitCodeOf(program, child),
      collect(child.stdout),
      collect(child.stderr),
    ]);
    return { exitCode, stdout, stderr };
  } finally {
    stopForwarding();
  }
}

/** OpenSSH's own 255 for its failures is ours as well; so is an end by a signal. */
function exitCodeOf(program: OpenSshProgram, child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? missing(program) : error),
    );
    child.once("close", (code) => resolve(code ?? EXIT_OURS));
  });
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
