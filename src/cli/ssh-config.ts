import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import { ApiError } from "../api/client/error.ts";
import type { LeaseId } from "../unit/id.ts";
import { InputError } from "../unit/quantity.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { connectFor } from "./naming/connect-for.ts";
import { readId } from "./option/id.ts";
import { identityOption } from "./run-verb.ts";
import {
  forgetEntry,
  includeLine,
  listEntries,
  shortAlias,
  writeEntry,
} from "./ssh/config-entry.ts";
import { proxyCommand } from "./ssh/proxy-command.ts";
import { readAccess, targetOf } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

interface ConfigInput {
  readonly leases: readonly string[];
  readonly name?: string;
  readonly identity?: string;
  readonly remove?: true;
}

export const sshConfigVerb = verb<ConfigInput>({
  usage: "ssh-config [leases...]",
  summary: "Make leases known to ssh, scp, sftp, rsync and editors under a short name.",
  examples: [
    "sublet ssh-config lease_01k9… --name training",
    "sublet ssh-config lease_01k9… --remove",
    "sublet ssh-config",
  ],
  more: "Writes into Sublet's own folder only, and prints the one line that ~/.ssh/config needs, once\nand for all leases. Entries of leases that have ended are taken away.",
  options: [
    new Option("--name <alias>", "what to call it; by default sublet- and the end of its id"),
    identityOption(),
    new Option("--remove", "take the entries away"),
  ],
  run: async (context, { leases, name, identity, remove }) => {
    const leaseIds: LeaseId[] = [];
    for (const lease of leases) leaseIds.push((await connectFor(context, "lease", lease)).id);
    if (name !== undefined) refuseBadName(name, leaseIds);
    const { configFolder } = context.environment;
    const removed: string[] = [];
    if (remove) {
      for (const leaseId of leaseIds) {
        if (await forgetEntry(configFolder, leaseId)) removed.push(leaseId);
      }
      return { json: { removed }, text: removedText(removed) || "there was no such entry" };
    }
    const entries = [];
    for (const leaseId of leaseIds) {
      entries.push(await addEntry(context, leaseId, { name, identity }));
    }
    removed.push(...(await forgetEnded(context)));
    const include = includeLine(configFolder);
    const known = entries.map(({ alias }) => `ssh ${alias}`);
    const hint = `It needs this line at the top of ~/.ssh/config, once:\n  ${include}`;
    const text = [...known, ...(removed.length > 0 ? [removedText(removed)] : []), hint].join("\n");
    return { json: { entries, removed, include }, text };
  },
});

/** Dials or goes through the relay: that is decided anew for each connection. */
async function addEntry(
  context: Context,
  leaseId: LeaseId,
  { name, identity }: { readonly name: string | undefined; readonly identity: string | undefined },
): Promise<{ leaseId: LeaseId; alias: string }> {
  const connection = await connect(context);
  if (connection.profile === null) {
    throw new CliError(
      "login-needed",
      "an entry is used without SUBLET_KEY; store the login with `sublet login URL --key KEY`",
    );
  }
  const access = await readAccess(connection.client, context.environment.configFolder, leaseId);
  const target = {
    ...(await targetOf(context, connection, { access, identity })),
    proxyCommand: proxyCommand(context, connection, leaseId, "auto"),
  };
  const alias = name ?? shortAlias(leaseId);
  await writeEntry(context.environment.configFolder, target, [alias, leaseId]);
  return { leaseId, alias };
}

/** Entries of other logins' leases, and of servers that do not answer, are left as they are. */
async function forgetEnded(context: Context): Promise<string[]> {
  const { configFolder } = context.environment;
  const removed: string[] = [];
  const listed = await listEntries(configFolder);
  if (listed.length === 0) return removed;
  const { client } = await connect(context);
  for (const text of listed) {
    const leaseId = readId("lease", text);
    if ((await hasEnded(client, leaseId)) && (await forgetEntry(configFolder, leaseId))) {
      removed.push(leaseId);
    }
  }
  return removed;
}

async function hasEnded(client: Client, leaseId: LeaseId): Promise<boolean> {
  try {
    const { lease } = await client.call("showLease", { params: { leaseId } });
    return lease.state === "ending" || lease.state === "ended";
  } catch (error) {
    if (error instanceof ApiError && error.code === "not-found") return false;
    throw error;
  }
}

function refuseBadName(name: string, leaseIds: readonly string[]): void {
  if (leaseIds.length !== 1) throw new InputError("--name is for one lease at a time");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new InputError(`"${name}" is no name of a host; use letters, digits, dots and dashes`);
  }
}

function removedText(leaseIds: readonly string[]): string {
  return leaseIds.map((leaseId) => `removed the entry of ${leaseId}`).join("\n");
}
