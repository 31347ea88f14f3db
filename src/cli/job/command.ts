import type { Writable } from "node:stream";
import type { LeaseView } from "../../api/contract/view.ts";
import type { Context } from "../context.ts";
import { progress } from "../output/progress.ts";
import { quoted, remoteCommand, sshArguments, type Target } from "../ssh/arguments.ts";
import { runAttached } from "../ssh/session.ts";
import { collected, endOf, pour, start } from "./guest.ts";
import { costSoFar } from "./lease.ts";

export interface CommandResult {
  readonly exitCode: number;
  /** Only when they were collected. */
  readonly stdout?: string;
  readonly stderr?: string;
}

/** In the job's folder. The shell stays, so that an end by a signal is 128 and its number. */
export function inFolder(folder: string, command: readonly string[]): string {
  const text = remoteCommand(command);
  // A line that ends its own shell must not end the one that tells how it ended.
  const own = command.length === 1 ? `"\${SHELL:-/bin/sh}" -c ${quoted(text)}` : text;
  return `cd ${folder}/work || exit 255\n${own}\nexit $?`;
}

/** Its output as it comes; where nothing comes for a second, how long and how dear it is so far. */
export async function runCommand(
  context: Context,
  target: Target,
  remote: string,
  options: {
    readonly lease: LeaseView;
    readonly signal: AbortSignal;
    readonly tty: boolean;
    /** The command's own output goes here, under `--quiet` as well. */
    readonly screen: Pick<Context, "stdout" | "stderr">;
  },
): Promise<CommandResult> {
  if (options.tty) {
    const exitCode = await runAttached("ssh", sshArguments(target, [remote], "always"));
    return { exitCode };
  }
  const args = sshArguments(target, [remote], "never");
  const child = start(args, options.signal, context.stdin.isTTY ? "ignore" : "inherit");
  if (context.json) {
    const [exitCode, out, err] = await Promise.all([
      endOf(child),
      collected(child.stdout),
      collected(child.stderr),
    ]);
    return { exitCode, stdout: out.toString(), stderr: err.toString() };
  }
  const silence = tellInSilence(context, options.lease);
  try {
    const [exitCode] = await Promise.all([
      endOf(child),
      pour(child.stdout, (chunk) => silence.write(options.screen.stdout, chunk)),
      pour(child.stderr, (chunk) => silence.write(options.screen.stderr, chunk)),
    ]);
    return { exitCode };
  } finally {
    silence.stop();
  }
}

/** The screen is the command's: a line of ours stands there only while it is silent. */
function tellInSilence(context: Context, lease: LeaseView) {
  const shown = progress(context);
  const startedAtMs = performance.now();
  let writtenAtMs = startedAtMs;
  let isAtLineStart = true;
  const tick = () => {
    const nowMs = performance.now();
    if (!isAtLineStart || nowMs - writtenAtMs < 1000) return;
    const seconds = Math.floor((nowMs - startedAtMs) / 1000);
    const cost = costSoFar(lease, context.clock.now());
    shown.update(`running for ${seconds} s${cost === null ? "" : `, ${cost} so far`}`);
  };
  // Where there is no terminal, lines of ours would only be among those of the command.
  const timer = context.stderr.isTTY ? setInterval(tick, 1000) : undefined;
  return {
    async write(to: Writable, chunk: Buffer): Promise<void> {
      shown.done();
      writtenAtMs = performance.now();
      isAtLineStart = chunk.at(-1) === 0x0a;
      await new Promise<void>((written) => to.write(chunk, () => written()));
    },
    stop(): void {
      clearInterval(timer);
      shown.done();
    },
  };
}
