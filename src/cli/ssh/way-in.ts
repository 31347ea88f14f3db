import { join, resolve } from "node:path";
import type { Client } from "../../api/client/client.ts";
import type { LeaseView } from "../../api/contract/view.ts";
import { refusal } from "../../refusal/refusal.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { LeaseId } from "../../unit/id.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { type Connection, connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import type { Target } from "./arguments.ts";
import { chooseWay } from "./choose-way.ts";
import { identityFor, leaseFolder } from "./key.ts";
import { proxyCommand, type WayWanted } from "./proxy-command.ts";

type Access = NonNullable<LeaseView["access"]>;

/**
 * Everything that OpenSSH needs to get into a lease's guest, with the guest's key pinned: direct
 * where it is within reach, else through the relay.
 */
export async function wayIn(
  context: Context,
  leaseId: LeaseId,
  identity: string | undefined,
  wanted: WayWanted = "auto",
): Promise<Target> {
  const connection = await connect(context);
  const access = await readAccess(connection.client, leaseId);
  const { configFolder } = context.environment;
  const way = await chooseWay({ configFolder, clock: context.clock }, access, wanted);
  const target = await targetOf(context, connection, { access, identity });
  if (way === "direct") return target;
  return { ...target, proxyCommand: proxyCommand(context, connection, leaseId, "relay") };
}

/** What OpenSSH needs to know, whichever way its bytes then take. */
export async function targetOf(
  { environment: { configFolder } }: Context,
  { profileName }: Connection,
  { access, identity }: { readonly access: Access; readonly identity: string | undefined },
): Promise<Target> {
  const { leaseId } = access;
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

/** The way in as the host signed it; refuses a lease that is not ready. */
export async function readAccess(client: Client, leaseId: LeaseId): Promise<Access> {
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
