import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { sshSettings, type Target } from "./arguments.ts";

const FILE = "ssh_config";

/** What a lease is called where people type: short, and the same each time. */
export function shortAlias(leaseId: string): string {
  return `sublet-${leaseId.slice(-6)}`;
}

/** A section of OpenSSH's configuration that needs no other: keys, pinned host key, way. */
export function entryText(target: Target, aliases: readonly string[]): string {
  const lines = sshSettings(target)
    // A person's own ssh is asked for as much as they like; and an agent may hold their key.
    .filter(([name]) => name !== "LogLevel")
    .map(([name, value]) => `  ${name} ${value}`);
  return [
    `# ${target.leaseId}: made by \`sublet ssh-config\`, which also takes it away.`,
    `Host ${aliases.join(" ")}`,
    ...lines,
    "",
  ].join("\n");
}

export async function writeEntry(
  configFolder: string,
  target: Target,
  aliases: readonly string[],
): Promise<void> {
  await writePrivateFile(entryPath(configFolder, target.leaseId), entryText(target, aliases));
}

/** False when there was none. */
export async function forgetEntry(configFolder: string, leaseId: string): Promise<boolean> {
  const path = entryPath(configFolder, leaseId);
  if ((await readIfThere(path)) === undefined) return false;
  await rm(path, { force: true });
  return true;
}

/** The leases that have an entry. */
export async function listEntries(configFolder: string): Promise<string[]> {
  const names = await readdir(join(configFolder, "leases")).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  const found = await Promise.all(
    names.map(async (name) => (await readIfThere(entryPath(configFolder, name))) !== undefined),
  );
  return names.filter((_, index) => found[index]);
}

/** One line that finds every entry, also those that are still to come. */
export function includeLine(configFolder: string): string {
  return `Include "${join(configFolder, "leases")}/*/${FILE}"`;
}

function entryPath(configFolder: string, leaseId: string): string {
  return join(configFolder, "leases", leaseId, FILE);
}
