import { closeSync, constants, openSync, readSync } from "node:fs";
import { rm } from "node:fs/promises";
import { hasCode } from "./errno.ts";
import type { GuestFolder } from "./guest-folder.ts";
import { runTool } from "./run-tool.ts";

/**
 * Where QEMU's own output goes: a named pipe. Guests can make QEMU complain, so a file would be
 * theirs to fill. The process itself holds both ends open, without blocking: what does not fit
 * into the pipe's 64 KiB is dropped, and nothing stops when the agent is not there to read.
 */
export async function openComplaints(paths: GuestFolder): Promise<Complaints> {
  await rm(paths.complaintsPath, { force: true });
  await runTool("mkfifo", ["-m", "600", paths.complaintsPath]);
  const fd = openSync(paths.complaintsPath, constants.O_RDWR | constants.O_NONBLOCK);
  return { fd, read: () => drain(fd), close: () => closeSync(fd) };
}

export interface Complaints {
  /** To be given to the process as its descriptor 3. */
  readonly fd: number;
  /** What was said until now and not yet read. */
  read(): string;
  close(): void;
}

/** The last lines, for a message to a person. */
export function lastLines(text: string, count = 5): string {
  return text.trim().split("\n").slice(-count).join("; ");
}

function drain(fd: number): string {
  const chunk = Buffer.alloc(PIPE_BYTES);
  try {
    return chunk.toString("utf8", 0, readSync(fd, chunk));
  } catch (error) {
    if (hasCode(error, "EAGAIN")) return "";
    throw error;
  }
}

const PIPE_BYTES = 64 * 1024;
