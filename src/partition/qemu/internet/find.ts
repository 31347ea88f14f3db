import { existsSync, readFileSync } from "node:fs";
import { DriverError } from "../../driver.ts";
import { hasCode } from "../errno.ts";
import { runTool } from "../run-tool.ts";
import { networkName } from "./name.ts";
import { layNetwork, removeNetwork } from "./network.ts";
import { readSurroundings, resolversOf } from "./surroundings.ts";

/** Whether guests of this host can be given the internet safely. */
export interface Internet {
  readonly works: boolean;
  /** How it was proven, or why not and what to do. */
  readonly reason: string;
}

/** Found by making a namespace with its filter and links, and taking it away again. */
export async function findInternet(driverTag: string): Promise<Internet> {
  const fault = faultOfHost();
  if (fault !== null) return { works: false, reason: fault };
  const name = networkName("trial", driverTag);
  try {
    await layNetwork(name, readSurroundings(), "only-tried");
    await removeNetwork(name, true);
    return { works: true, reason: await provenReason() };
  } catch (error) {
    await removeNetwork(name, true).catch(() => undefined);
    if (error instanceof DriverError) return { works: false, reason: error.message };
    const said = error instanceof Error ? error.message.split("failed").at(-1) : String(error);
    return { works: false, reason: `a trial network could not be made ${said}`.slice(0, 500) };
  }
}

/** What can be seen without trying; null when nothing is in the way. */
function faultOfHost(): string | null {
  if (process.getuid?.() !== 0) {
    return "only root may make networks for guests; run the agent as root";
  }
  if (!existsSync("/dev/net/tun")) {
    return "this computer has no /dev/net/tun; type: modprobe tun";
  }
  if (!existsSync("/usr/bin/perl")) return "perl is missing; type: apt-get install perl-base";
  return null;
}

/** A firewall of the host's own may drop what ours lets through: only a person can tell it. */
async function provenReason(): Promise<string> {
  const proven = "a trial network was made, filtered and removed";
  const chains = await runTool("nft", ["list", "chains"]);
  const drops = /hook forward [^\n]*policy drop/.test(chains);
  if (!drops) return proven;
  return `${proven}; but a firewall of this host drops what is forwarded: let it accept the interfaces sublet*`;
}

/** What was set, else the host's own resolvers where they are public, else public ones. */
export function resolversFor(set: readonly string[] | undefined): readonly string[] {
  if (set !== undefined && set.length > 0) return set;
  return resolversOf(readResolvConf(), readSurroundings());
}

function readResolvConf(): string {
  try {
    return readFileSync("/etc/resolv.conf", "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}
