import { join, resolve } from "node:path";
import type { Client } from "../../api/client/client.ts";
import type { LeaseView } from "../../api/contract/view.ts";
import { refusal } from "../../refusal/refusal.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { LeaseId } from "../../unit/id.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { connectFor } from "../naming/connect-for.ts";
import type { Target } from "./arguments.ts";
import { identityFor, leaseFolder } from "./key.ts";

/**
 * Everything that OpenSSH needs to get into a lease's guest, with the guest's key pinned. The lease
 * is named by its id or the beginning of it.
 */
export async function wayIn(
  context: Context,
  lease: string,
  identity: string | undefined,
): Promise<Target> {
  const { client, profileName, id: leaseId } = await connectFor(context, "lease", lease);
  const access = await readAccess(client, leaseId);
  const { configFolder } = context.environment;
  return {
    leaseId,
    access,
    identityFile:
      identity === undefined
        ? await identityFor(configFolder, profileName, leaseId)
        : resolve(identity),
    knownHostsFile: await pinHostKey(configFolder, leaseId, access.hostKey),
  };
}

async function readAccess(client: Client, leaseId: LeaseId) {
  const { lease } = await client.call("showLease", { params: { leaseId } });
  const { access, accessJws, state } = lease;
  if (access === null || accessJws === null) throw refusal("lease-not-ready", { leaseId, state });
  if (access.leaseId === leaseId && saysTheSame(accessJws, access)) return access;
  throw new CliError(
    "access-differs",
    `the way in that the server shows is not what the host signed for ${leaseId}; do not use it, and tell the operator`,
    { leaseId },
  );
}

/**
 * Whether the host's signed text is about this very access. Its signature is not verified here: a
 * client does not know the host's key yet, so it trusts the server for that.
 */
function saysTheSame(jws: string, access: NonNullable<LeaseView["access"]>): boolean {
  const payload = Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8");
  return payload === canonicalJson(access);
}

/** Writes the guest's key at the first use; later another key is refused. */
async function pinHostKey(
  configFolder: string,
  leaseId: LeaseId,
  hostKey: string,
): Promise<string> {
  const path = join(leaseFolder(configFolder, leaseId), "known_hosts");
  const line = `${leaseId} ${hostKey}\n`;
  const pinned = await readIfThere(path);
  if (pinned === undefined) await writePrivateFile(path, line);
  else if (pinned !== line) {
    throw new CliError(
      "host-key-changed",
      `the guest of ${leaseId} has another key than at first, so it may be another machine; tell the operator, or remove ${path} when this is meant`,
      { leaseId, path },
    );
  }
  return path;
}
