import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../../unit/canonical.ts";
import { isId, type LeaseId } from "../../unit/id.ts";
import { readIfThere, writePrivateFile } from "./private-file.ts";

/** Who types the same again after so long means another lease. */
const REPEAT_WITHIN_MS = 10 * 60_000;

/** A booking that was sent, or is about to be, and has had no answer yet. */
export interface Booking<Body> {
  /** One for each partition; the first names the booking. */
  readonly leaseIds: readonly LeaseId[];
  readonly url: string;
  /** The body with its times as typed: `now+2h` is the same when it is typed again. */
  readonly typed: unknown;
  readonly body: Body;
}

interface Stored<Body> extends Booking<Body> {
  readonly at: string;
  readonly pid: number;
}

/** An equal booking whose answer was lost. One that another command waits for now is not lost. */
export async function findUnanswered<Body>(
  configFolder: string,
  wanted: Pick<Booking<Body>, "url" | "typed">,
  now: Date,
): Promise<Booking<Body> | undefined> {
  for (const leaseId of await listBookings(configFolder)) {
    const text = await readIfThere(pathOf(configFolder, leaseId));
    if (text === undefined) continue;
    const stored = JSON.parse(text) as Stored<Body>;
    if (isRunning(stored.pid)) continue;
    if (now.getTime() - new Date(stored.at).getTime() > REPEAT_WITHIN_MS) {
      await forgetBooking(configFolder, leaseId);
    } else if (
      stored.url === wanted.url &&
      canonicalJson(stored.typed) === canonicalJson(wanted.typed)
    ) {
      return stored;
    }
  }
  return undefined;
}

/** Before the booking is sent. */
export async function rememberBooking<Body>(
  configFolder: string,
  { leaseIds, url, typed, body }: Booking<Body>,
  now: Date,
): Promise<void> {
  const stored: Stored<Body> = {
    leaseIds,
    url,
    typed,
    body,
    at: now.toISOString(),
    pid: process.pid,
  };
  const [leaseId] = leaseIds;
  if (leaseId) await writePrivateFile(pathOf(configFolder, leaseId), JSON.stringify(stored));
}

/** Once it was answered. */
export async function forgetBooking(
  configFolder: string,
  leaseId: LeaseId | undefined,
): Promise<void> {
  if (leaseId === undefined) return;
  await rm(pathOf(configFolder, leaseId), { force: true });
}

async function listBookings(configFolder: string): Promise<LeaseId[]> {
  const files = await readdir(join(configFolder, "bookings")).catch(noFolder);
  const names = files.map((file) => file.replace(/\.json$/, ""));
  return names.filter((name) => isId("lease", name));
}

function pathOf(configFolder: string, leaseId: LeaseId): string {
  return join(configFolder, "bookings", `${leaseId}.json`);
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process exists just as well.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function noFolder(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}
