import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Connection } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";

export type WayWanted = "auto" | "direct" | "relay";

/**
 * What OpenSSH runs in its user's shell to reach a lease's guest: this very program, as the same
 * login. No key stands in it: everybody on this computer may read command lines.
 */
export function proxyCommand(
  { environment, common }: Context,
  { profile, profileName }: Connection,
  leaseId: string,
  way: WayWanted,
): string {
  if (profile === null && (common.server !== undefined || common.key !== undefined)) {
    throw new CliError(
      "login-needed",
      "the way through the relay needs a stored login; run `sublet login URL --key KEY`, or set SUBLET_SERVER and SUBLET_KEY",
    );
  }
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
  const words = [
    ...["env", `SUBLET_CONFIG=${environment.configFolder}`, process.execPath, main],
    ...["ssh-proxy", leaseId, ...(way === "auto" ? [] : [`--${way}`])],
    ...(profile === null ? [] : ["--as", profileName]),
  ];
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
