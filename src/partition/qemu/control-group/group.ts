import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeDurably } from "../durable-file.ts";
import { hasCode } from "../errno.ts";
import type { GuestFolder } from "../guest-folder.ts";
import type { Place } from "./place.ts";
import { COUNTERS, type GroupLimits, settingsOf } from "./settings.ts";

/**
 * Makes the guest's group anew in every place, so that its counter begins with the process that is
 * about to be started, and gives the folders that the process is to join. Which they are is written
 * down first: an agent that is started elsewhere finds and removes them all the same.
 */
export async function makeGroup(
  paths: GuestFolder,
  name: string,
  places: readonly Place[],
  limits: GroupLimits,
): Promise<string[]> {
  await removeGroup(paths);
  const groups = places.map((place) => ({ ...place, folder: join(place.folder, name) }));
  await writeDurably(paths.groupPath, `${JSON.stringify(groups)}\n`, { mode: 0o600 });
  for (const { folder } of groups) await mkdir(folder, { recursive: true });
  await holdGroup(paths, limits);
  return groups.map(({ folder }) => folder);
}

/** Writes the limits, also those of a group whose process runs. */
export async function holdGroup(paths: GuestFolder, limits: GroupLimits): Promise<void> {
  for (const group of await readGroups(paths)) {
    for (const { file, text } of settingsOf(group, limits)) {
      await writeFile(join(group.folder, file), text);
    }
  }
}

/** What all of the group's processes have used since it was made; null where nothing counts it. */
export async function groupCpuNs(paths: GuestFolder): Promise<bigint | null> {
  for (const { version, controllers, folder } of await readGroups(paths)) {
    if (!controllers.includes(version === 1 ? "cpuacct" : "cpu")) continue;
    const { file, cpuNs } = COUNTERS[version];
    const text = await readFile(join(folder, file), "utf8").catch(orNullWhenGone);
    if (text !== null) return cpuNs(text);
  }
  return null;
}

/** How long a process that was ended may still be counted as a member. */
const LEAVE_LIMIT_MS = 2000;

export async function removeGroup(paths: GuestFolder): Promise<void> {
  for (const { folder } of await readGroups(paths)) {
    const until = performance.now() + LEAVE_LIMIT_MS;
    while (!(await removed(folder, performance.now() >= until))) await sleep(20);
  }
}

async function removed(folder: string, isLastTry: boolean): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    if (isLastTry || !hasCode(error, "EBUSY")) throw error;
    return false;
  }
}

async function readGroups(paths: GuestFolder): Promise<readonly Place[]> {
  const text = await readFile(paths.groupPath, "utf8").catch(orNullWhenGone);
  return text === null ? [] : JSON.parse(text);
}

function orNullWhenGone(error: unknown): null {
  // ENODEV: the group was removed between opening and reading.
  if (hasCode(error, "ENOENT", "ENODEV")) return null;
  throw error;
}
