import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { remoteCommand, sshArguments, type Target } from "../ssh/arguments.ts";
import { missing } from "../ssh/programs.ts";
import { type Get, getsFile } from "./get.ts";
import { transfer } from "./progress.ts";
import { madeFile } from "./put.ts";
import { type TarEntry, tar, tarBytes } from "./tar.ts";

/** A job's folder in the guest: on the data disk where there is one, else at home. */
const INTO =
  'b=/data; [ -d $b ] && [ -w $b ] || b=$HOME; mkdir -p "$b/NAME" && cd "$b/NAME" && tar -xf - &&' +
  " exec sh ./job.sh MODE";

export interface Sent {
  readonly name: string;
  readonly command: readonly string[];
  readonly gets: readonly Get[];
  readonly entries: readonly TarEntry[];
}

/**
 * Sends a job, in one go, and begins it (`start`) or only puts everything in its place (`place`).
 * Returns where it is in the guest.
 */
export async function sendJob(
  context: Context,
  target: Target,
  { name, command, gets, entries }: Sent,
  mode: "start" | "place",
  signal: AbortSignal,
): Promise<string> {
  const script = readFileSync(new URL("./job.sh", import.meta.url));
  const all = [
    madeFile("job.sh", script),
    madeFile("command", `${remoteCommand(command)}\n`),
    madeFile("gets", getsFile(gets)),
    ...entries,
  ];
  const remote = INTO.replaceAll("NAME", name).replace("MODE", mode);
  const child = start(sshArguments(target, [remote], "never"), signal);
  const shown = transfer(context, "sending", tarBytes(all));
  const said = collected(child.stdout);
  const complaints = collected(child.stderr);
  const ended = endOf(child);
  const feed = async () => {
    for await (const chunk of tar(all)) {
      if (child.stdin?.destroyed) return;
      if (!child.stdin?.write(chunk))
        await Promise.race([once(child.stdin as never, "drain"), ended]);
      shown.count(chunk.length);
    }
    child.stdin?.end();
  };
  // One that ends without reading all has said why.
  child.stdin?.on("error", () => child.stdin?.destroy());
  try {
    const [code, text, why] = await Promise.all([ended, said, complaints, feed()]);
    const folder = /^dir=(\/.*)$/m.exec(text.toString())?.[1];
    if (code === 0 && folder !== undefined) return folder;
    throw new CliError(
      "job-not-sent",
      `the guest did not take the job (${code}): ${why.toString().trim() || "it said nothing"}`,
      { exitCode: code },
    );
  } finally {
    shown.done();
  }
}

/** One of the script's modes, with what it writes going where this command's own output goes. */
export async function callJob(
  context: Context,
  target: Target,
  folder: string,
  mode: "follow" | "logs" | "cancel" | "clean",
  signal: AbortSignal,
): Promise<number> {
  const child = start(sshArguments(target, [`sh ${folder}/job.sh ${mode}`], "never"), signal);
  child.stdin?.end();
  const [code] = await Promise.all([
    endOf(child),
    pour(child.stdout, (chunk) => context.stdout.write(chunk) || once(context.stdout, "drain")),
    pour(child.stderr, (chunk) => context.stderr.write(chunk) || once(context.stderr, "drain")),
  ]);
  return code;
}

/** Brings what was named out of the guest into a folder here, which the caller removes. */
export async function fetchOutputs(
  context: Context,
  target: Target,
  folder: string,
  signal: AbortSignal,
): Promise<string> {
  const child = start(sshArguments(target, [`sh ${folder}/job.sh collect`], "never"), signal);
  child.stdin?.end();
  const shown = transfer(context, "fetching", null);
  const place = await mkdtemp(join(tmpdir(), "sublet-outputs-"));
  const archive = join(place, "archive.tar");
  const file = await open(archive, "wx", 0o600);
  const complaints = collected(child.stderr);
  try {
    const [code, why] = await Promise.all([
      endOf(child),
      complaints,
      pour(child.stdout, async (chunk) => {
        await file.writeFile(chunk);
        shown.count(chunk.length);
      }),
    ]);
    if (code !== 0) {
      const said = why.toString().trim();
      throw new CliError("outputs-not-fetched", `the outputs did not come (${code}): ${said}`);
    }
  } catch (error) {
    await rm(place, { recursive: true, force: true });
    throw error;
  } finally {
    shown.done();
    await file.close();
  }
  await unpack(archive);
  return place;
}

/** Beside the archive, which is removed: tar itself refuses what leads out of its folder. */
export async function unpack(archive: string): Promise<void> {
  // Whoever unpacks owns it all, and nothing runs with another's rights.
  const own = ["--no-same-owner", "--no-same-permissions"];
  const child = spawn("tar", ["-xf", archive, "-C", join(archive, ".."), ...own], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [code, why] = await Promise.all([endOf(child), collected(child.stderr)]);
  await rm(archive, { force: true });
  if (code === 0) return;
  throw new CliError("outputs-unreadable", `tar could not unpack the outputs: ${why}`);
}

/** ssh that never sees Ctrl-C itself: this command decides what that means. */
export function start(
  args: readonly string[],
  signal: AbortSignal,
  stdin: "pipe" | "inherit" | "ignore" = "pipe",
): ChildProcess {
  const ignoring = 'trap "" INT; exec "$@"';
  const child = spawn("/bin/sh", ["-c", ignoring, "sh", "ssh", ...args], {
    stdio: [stdin, "pipe", "pipe"],
  });
  const end = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  child.once("close", () => signal.removeEventListener("abort", end));
  if (signal.aborted) end();
  return child;
}

/** An end by a signal is ours, and so is an OpenSSH that is not there. */
export function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? missing("ssh") : error),
    );
    child.once("close", (code) => resolve(code ?? 255));
  });
}

export async function collected(stream: Readable | null): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await pour(stream, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks);
}

export async function pour(stream: Readable | null, to: (chunk: Buffer) => unknown): Promise<void> {
  for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) await to(chunk);
}
