import { randomBytes } from "node:crypto";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../errno.ts";
import { type Controller, type Place, placesOf } from "./place.ts";
import { settingsOf } from "./settings.ts";

/** What of this computer's control groups works, found by trying. */
export interface ControlGroups {
  /** With the controllers that work in them. */
  readonly places: readonly Place[];
  /** A guest can be held to a part of the pool. */
  readonly sharedCpu: boolean;
  /** The kernel holds a guest's process to its memory. */
  readonly memoryLimit: boolean;
  /** One sentence on both: which groups are used, or why they are not. */
  readonly reason: string;
}

export async function findControlGroups(): Promise<ControlGroups> {
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  const found = placesOf(mountinfo, await readFile("/proc/self/cgroup", "utf8"));
  const places: Place[] = [];
  const faults: string[] = [];
  for (const place of found) {
    const controllers: Controller[] = [];
    for (const controller of await offered(place)) {
      const fault = await tryController({ ...place, controllers: [controller] });
      if (fault === null) controllers.push(controller);
      else faults.push(`${controller}: ${fault}`);
    }
    if (controllers.length > 0) places.push({ ...place, controllers });
  }
  return judge(places, faults);
}

export function judge(places: readonly Place[], faults: readonly string[]): ControlGroups {
  const has = (controller: Controller) =>
    places.some(({ controllers }) => controllers.includes(controller));
  const said = places.map(({ version, controllers }) => `${controllers.join(", ")} (v${version})`);
  const works = said.length === 0 ? "no control group can be made" : `works: ${said.join("; ")}`;
  const reason = [works, ...faults].join("; ");
  return { places, sharedCpu: has("cpu"), memoryLimit: has("memory"), reason };
}

/** The second version says which of its controllers are here; the first was mounted with them. */
async function offered(place: Place): Promise<readonly Controller[]> {
  if (place.version === 1) return place.controllers;
  const text = await readFile(join(place.folder, "cgroup.controllers"), "utf8").catch(
    (error: unknown) => {
      if (hasCode(error, "ENOENT", "EACCES")) return "";
      throw error;
    },
  );
  const names = text.trim().split(" ");
  return place.controllers.filter((controller) => names.includes(controller));
}

const TRIAL = { cpuMilli: 500, cpuCapMilli: 500, memoryBytes: 64 * 1024 * 1024 };

/** Makes a group, writes, reads back, removes it; null when all of that went well. */
async function tryController(place: Place): Promise<string | null> {
  const group = join(place.folder, `sublet-trial-${randomBytes(6).toString("hex")}`);
  try {
    await enable(place);
    await mkdir(group);
    try {
      for (const { file, text } of settingsOf(place, TRIAL)) {
        await writeFile(join(group, file), text);
        const back = (await readFile(join(group, file), "utf8")).trim();
        if (back !== text) return `${file} reads back as ${back} and not ${text}`;
      }
    } finally {
      await rmdir(group);
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** In the second version a group hands controllers to those below it only when told to. */
async function enable({ version, folder, controllers }: Place): Promise<void> {
  if (version === 1) return;
  const path = join(folder, "cgroup.subtree_control");
  const enabled = (await readFile(path, "utf8")).trim().split(" ");
  for (const controller of controllers) {
    if (!enabled.includes(controller)) await writeFile(path, `+${controller}`);
  }
}
