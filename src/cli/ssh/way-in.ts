import { join, resolve } from "node:path";
import type { Client } from "../../api/client/client.ts";
import { accessView } from "../../api/contract/view.ts";
import type { Access } from "../../partition/signed.ts";
import { refusal } from "../../refusal/refusal.ts";
import { verify } from "../../signature/envelope.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { LeaseId } from "../../unit/id.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import type { Connection } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { connectFor } from "../naming/connect-for.ts";
import { pinnedAgent } from "./agent-keys.ts";
import type { Target } from "./arguments.ts";
import { chooseWay } from "./choose-way.ts";
import { identityFor, leaseFolder } from "./key.ts";
import { proxyCommand, type WayWanted } from "./proxy-command.ts";

/**
 * Everything that OpenSSH needs to get into a lease's guest, with the guest's key pinned: direct
 * where it is within reach, else through the relay. The lease is named by its id or the beginning
 * of it.
 */
export async function wayIn(
  context: Context,
  lease: string,
  identity: string | undefined,
  wanted: WayWanted = "auto",
): Promise<Target> {
  const connection = await connectFor(context, "lease", lease);
  const { id: leaseId } = connection;
  const { configFolder } = context.environment;
  const access = await readAccess(connection.client, configFolder, leaseId);
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

/** The way in as the lease's host signed it, by a key that is pinned. */
export async function readAccess(
  client: Client,
  configFolder: string,
  leaseId: LeaseId,
): Promise<Access> {
  const { lease } = await client.call("showLease", { params: { leaseId } });
  const { access, accessJws, agentKeys, host, state } = lease;
  if (access === null || accessJws === null || agentKeys === null) {
    throw refusal("lease-not-ready", { leaseId, state });
  }
  const { keys, path, pin } = await pinnedAgent(configFolder, host.id, agentKeys);
  const signed = verify({ jws: accessJws, typ: "sublet-access", keys, schema: accessView });
  if (!signed.ok && signed.code === "unknown-key") {
    throw new CliError(
      "agent-key-changed",
      `${host.name} signs with a key that is neither the pinned one nor let in by it, so it may be another machine; ask its lender, and remove ${path} when this is meant`,
      { leaseId, hostId: host.id, path },
    );
  }
  const isSame = signed.ok && canonicalJson(signed.payload) === canonicalJson(access);
  if (!isSame || access.leaseId !== leaseId || access.hostId !== host.id) {
    throw new CliError(
      "access-differs",
      `the way in that the server shows is not what the host signed for ${leaseId}; do not use it, and tell the operator`,
      { leaseId },
    );
  }
  await pin();
  return signed.payload;
}

/** Writes the guest's key at the first use; later another key is refused. */
export async function pinHostKey(
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
