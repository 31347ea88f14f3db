import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { inNetworkOf, type Ran, type RunOptions, sublet } from "./sublet.ts";

/** A place with a network of its own that leads nowhere: files are all that comes and goes. */
export interface Island {
  /** What is carried here lies here, and commands are typed here. */
  readonly folder: string;
  /** What a program is started with to run here. */
  readonly within: readonly string[];
  type(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  path(name: string): string;
  /** Carries a file to another island, as on a stick. */
  carry(name: string, to: Island): void;
  /** Ends with the process that keeps its network. */
  sink(): void;
}

export async function makeIsland(folder: string, name: string): Promise<Island> {
  const keeper: ChildProcess = spawn("unshare", [
    ...["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
  ]);
  if (keeper.stdout) await once(keeper.stdout, "data");
  const pid = keeper.pid ?? 0;
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  const island: Island = {
    folder: home,
    within: inNetworkOf(pid),
    type: (argv, options = {}) =>
      sublet(argv, {
        ...options,
        env: { SUBLET_CONFIG: join(home, "config"), ...options.env },
        cwd: home,
        networkOf: pid,
      }),
    path: (file) => join(home, file),
    carry: (file, to) => copyFileSync(join(home, file), to.path(file)),
    sink: () => keeper.stdin?.end(),
  };
  return island;
}
