import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DriverError } from "../../driver.ts";
import { runTool } from "../run-tool.ts";
import { namespacePath } from "./name.ts";
import { ROUTER_ADDRESS, RULES_FORWARDING, rulesInside, rulesOutside } from "./rules.ts";
import { LAY, REMOVE, SHARED_FOLDER } from "./script.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Makes the guest's namespace with its filter and its links, or finds them and makes the rest:
 * safe to repeat, also for a guest that runs. The filter is there before any link is. Says what of
 * the host it had to change.
 */
export async function layNetwork(
  name: string,
  surroundings: Surroundings,
  forwarding: "uplinks-forward" | "only-tried" = "uplinks-forward",
): Promise<string> {
  const { uplinks } = surroundings;
  if (uplinks.length === 0) {
    const message =
      "this computer has no default route, so there is no internet to share; give it one";
    throw new DriverError("internet-unsupported", message);
  }
  const forwarded = forwarding === "uplinks-forward" ? uplinks : [];
  const rules = [rulesInside(surroundings), rulesOutside(name, surroundings), RULES_FORWARDING];
  return script(LAY, [name, ...rules, ROUTER_ADDRESS, ...forwarded]);
}

/**
 * Takes everything away that carries the name. The namespace goes last: while it is there, so may
 * be the rest. Does nothing where nothing is.
 */
export async function removeNetwork(name: string, wasLaid: boolean): Promise<void> {
  if (!wasLaid && !isThere(name)) return;
  await script(REMOVE, [name]);
}

/** Whether the host still has its part of the rules: a firewall that restarts flushes all tables. */
export function hasRulesOutside(name: string): Promise<boolean> {
  return runTool("nft", ["list", "table", "inet", name]).then(
    () => true,
    () => false,
  );
}

function isThere(name: string): boolean {
  const links = readFileSync("/proc/self/net/dev", "utf8");
  return existsSync(namespacePath(name)) || links.includes(`${name}:`);
}

/** Agents of one computer change what they share one after the other. */
function script(text: string, args: readonly string[]): Promise<string> {
  mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o700 });
  const lockPath = join(SHARED_FOLDER, "lock");
  return runTool("flock", [lockPath, "/bin/bash", "-euc", text, "sublet", ...args]);
}
