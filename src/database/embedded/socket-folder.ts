import { createHash } from "node:crypto";
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isErrno } from "./errno.ts";
import type { Launcher } from "./launcher.ts";

/** sockaddr_un holds 107 characters, and PostgreSQL adds "/.s.PGSQL.5432" to the folder. */
const LONGEST_FOLDER_BYTES = 107 - "/.s.PGSQL.5432".length;

/** A folder for the socket that only the server's user can enter: that is all its protection. */
export function makeSocketFolder(dataFolder: string, launcher: Launcher): string {
  const inside = join(dataFolder, "socket");
  if (Buffer.byteLength(inside) <= LONGEST_FOLDER_BYTES) {
    // Another mode's user may have owned it at the last start.
    rmSync(inside, { recursive: true, force: true });
    return own(inside, launcher);
  }
  // The same name for the same data folder: what a killed server left is used again, not added to.
  const name = `sublet-${createHash("sha256").update(dataFolder).digest("hex").slice(0, 16)}`;
  const parent = shortParent(name, launcher);
  try {
    return own(join(parent, name), launcher);
  } catch (error) {
    // In a shared folder somebody else may have taken the name.
    if (!isErrno(error, "ENOTDIR", "EPERM")) throw error;
    return own(mkdtempSync(join(parent, "sublet-")), launcher);
  }
}

function shortParent(name: string, launcher: Launcher): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const parents = launcher.mode === "fallback" ? [] : [runtime ?? "", tmpdir()];
  const isShort = (parent: string) =>
    parent !== "" && Buffer.byteLength(join(parent, name)) <= LONGEST_FOLDER_BYTES;
  return parents.find(isShort) ?? "/tmp";
}

function own(folder: string, launcher: Launcher): string {
  mkdirIfMissing(folder);
  const found = lstatSync(folder);
  const isOurs = found.uid === process.getuid?.() || found.uid === launcher.uid;
  if (!found.isDirectory() || !isOurs) {
    throw Object.assign(new Error(`${folder} belongs to somebody else.`), { code: "EPERM" });
  }
  chmodSync(folder, 0o700);
  if (found.uid !== launcher.uid) chownSync(folder, launcher.uid, launcher.gid);
  return folder;
}

function mkdirIfMissing(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
}
