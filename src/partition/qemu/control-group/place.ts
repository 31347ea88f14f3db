export type Controller = "cpu" | "cpuacct" | "memory";

/** A folder of the kernel's control groups in which groups for guests can be made. */
export interface Place {
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  readonly folder: string;
}

const CONTROLLERS_1: readonly Controller[] = ["cpu", "cpuacct", "memory"];

/**
 * Where guests' groups belong, from this process's `mountinfo` and `cgroup` in proc.
 *
 * Version 1: below the agent's own group of each controller, so that no guest leaves the limits
 * that somebody has put on the agent. Version 2: beside the agent's own group, since a group with
 * processes cannot have limited ones below it; there too, what ends the agent's service does not
 * end its guests. Only an agent in the root group makes them in it.
 */
export function placesOf(mountinfo: string, ownGroups: string): Place[] {
  const own = parseOwnGroups(ownGroups);
  const places: Place[] = [];
  for (const mount of parseMounts(mountinfo)) {
    if (mount.type === "cgroup2") {
      const group = own.get("");
      if (group === undefined) continue;
      const folder = folderOf(mount, group === "/" ? group : parentOf(group));
      if (folder !== null) places.push({ version: 2, controllers: ["cpu", "memory"], folder });
    } else if (mount.type === "cgroup") {
      const controllers = CONTROLLERS_1.filter((name) => mount.options.includes(name));
      const group = own.get(controllers[0] ?? "none");
      const folder = group === undefined ? null : folderOf(mount, group);
      if (folder !== null) places.push({ version: 1, controllers, folder });
    }
  }
  return places;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** proc(5): ID, parent, device, root, mount point, options, tags, a hyphen, type, source, options. */
function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    if (after === undefined) return [];
    const [, , , root = "", point = ""] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    return [{ root, point, type, options: options.split(",") }];
  });
}

/** `4:cpu,cpuacct:/a` → cpu and cpuacct; `0::/b` is that of version 2, with no name. */
function parseOwnGroups(text: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of text.trim().split("\n")) {
    const [, names = "", ...path] = line.split(":");
    for (const name of names.split(",")) own.set(name, path.join(":"));
  }
  return own;
}

/** Null where the mount shows another part of the hierarchy, as in a container. */
function folderOf(mount: Mount, group: string): string | null {
  if (mount.root === "/") return group === "/" ? mount.point : `${mount.point}${group}`;
  if (group === mount.root) return mount.point;
  return group.startsWith(`${mount.root}/`)
    ? `${mount.point}${group.slice(mount.root.length)}`
    : null;
}

function parentOf(group: string): string {
  return group.slice(0, group.lastIndexOf("/")) || "/";
}
