import { join, resolve } from "node:path";
import { Option } from "commander";
import { formatBytes } from "../unit/quantity.ts";
import type { Context } from "./context.ts";
import { verb } from "./verb.ts";

interface Input {
  readonly folder: string;
  readonly data?: string;
}

const dataOption = () =>
  new Option("--data <folder>", "the server's data; by default of this user");

export const backupVerb = verb<Input>({
  usage: "backup <folder>",
  summary: "Copy a server's database, images and kept outputs into a new folder, while it goes on.",
  examples: [
    "sublet backup /srv/backup/2027-01-31",
    "sublet backup /srv/backup/2027-01-31 --data /var/lib/sublet/server",
  ],
  more: "On the server's computer, as its user. The folder holds the server's signing key: keep it as you\nkeep that. A server with a DATABASE_URL is backed up with that database's own means.",
  speaksAs: false,
  options: [dataOption()],
  run: async (context, { folder, data }) => {
    process.umask(0o077);
    const { backUp } = await import("../server/backup/back-up.ts");
    const made = await backUp({
      ...(await where(context, data)),
      target: resolve(folder),
      now: context.clock.now(),
    });
    const text = `${made.folder} holds ${made.files} files, ${formatBytes(made.bytes)}`;
    return { json: made, text };
  },
});

export const restoreVerb = verb<Input>({
  usage: "restore <folder>",
  summary: "Make a server's data folder of a backup; the folder must be new or empty.",
  examples: ["sublet restore /srv/backup/2027-01-31 --data /var/lib/sublet/server"],
  more: "Each file is checked and the database recovers once. What happened since the backup, hosts tell\nthe server when it is started again: leases that run go on.",
  speaksAs: false,
  options: [dataOption()],
  run: async (context, { folder, data }) => {
    process.umask(0o077);
    const { restore } = await import("../server/backup/restore.ts");
    const made = await restore({ ...(await where(context, data)), backup: folder });
    const text = `${made.folder} is as it was at ${made.madeAt}. Start the server on it:\n  sublet server --data ${made.folder}`;
    return { json: made, text };
  },
});

async function where({ environment, json, stderr }: Context, data: string | undefined) {
  const { createLog } = await import("../process/log.ts");
  const log = createLog(json || !stderr.isTTY ? "json" : "lines", "warn");
  return { dataFolder: resolve(data ?? join(environment.dataFolder, "server")), log };
}
