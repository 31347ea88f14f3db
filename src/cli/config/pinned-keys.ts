import { CliError } from "../failure.ts";
import type { Profile, PublicJwk } from "./profile.ts";

/** What a server says of itself, as far as it is pinned. */
export interface ServerIdentity {
  readonly serverId: string;
  readonly keys: readonly PublicJwk[];
}

/**
 * Refuses a server that is not the one of the login: another id, or a key that was not pinned.
 * A key that the server no longer uses is no reason; bills that it signed still verify.
 */
export function checkPinned(profile: Profile, shown: ServerIdentity): void {
  const pinned = new Set(profile.serverKeys.map(identity));
  const others = shown.keys.filter((key) => !pinned.has(identity(key)));
  if (shown.serverId === profile.serverId && others.length === 0) return;
  throw new CliError(
    "server-keys-changed",
    `the server at ${profile.url} is not the one of your login, or signs with other keys; ask its operator, and if that is meant run \`sublet login ${profile.url} --key KEY${nameFlag(profile)} --trust-new-keys\``,
    { url: profile.url, serverId: shown.serverId, pinnedServerId: profile.serverId },
  );
}

/** The members that make up an Ed25519 public key (RFC 8037); `kid` only names it. */
function identity(key: PublicJwk): string {
  return [key.kty, key.crv, key.x].join(" ");
}

function nameFlag(profile: Profile): string {
  return profile.name === "default" ? "" : ` --as ${profile.name}`;
}
