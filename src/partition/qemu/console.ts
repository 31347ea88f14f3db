import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CONSOLE_BYTES, CONSOLE_ID } from "./command-line.ts";
import { hasCode } from "./errno.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { qmp } from "./qmp.ts";

/** The most of a guest's console that is kept on the host's disk: its end. */
const CONSOLE_LOG_BYTES_MAX = 1024 * 1024;
const READ_LIMIT_MS = 2000;

/**
 * Moves what the guest wrote to its console since the last time from QEMU's memory to
 * `console.log`. Only a QEMU that is killed takes the unread rest with it: a guest that powers off
 * or crashes leaves its process.
 */
export async function drainConsole(paths: GuestFolder): Promise<void> {
  const socketPath = join(paths.machine, MACHINE_FILES.qmpSocket);
  const request = { device: CONSOLE_ID, size: CONSOLE_BYTES, format: "base64" };
  const [read] = await qmp(
    socketPath,
    [{ execute: "ringbuf-read", arguments: request }],
    READ_LIMIT_MS,
  );
  if (typeof read !== "string" || read === "") return;
  const whole = Buffer.concat([await readConsoleLog(paths), Buffer.from(read, "base64")]);
  await writeFile(paths.consolePath, whole.subarray(-CONSOLE_LOG_BYTES_MAX), { mode: 0o600 });
}

export async function readConsoleLog(paths: GuestFolder): Promise<Buffer> {
  try {
    return await readFile(paths.consolePath);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return Buffer.alloc(0);
    throw error;
  }
}
