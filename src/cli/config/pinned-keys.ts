import { z } from "zod";
import { importPublicKey, keyRing } from "../../signature/key.ts";
import { successorsOf } from "../../signature/succession.ts";
import { jwkSchema } from "../../unit/schema.ts";
import { CliError } from "../failure.ts";
import type { Profile, PublicJwk } from "./profile.ts";

/** What a server says of itself, as far as it is pinned. */
export interface ServerIdentity {
  readonly serverId: string;
  readonly keys: readonly PublicJwk[];
  /** How each key was let in by the one before. */
  readonly successionJws: readonly string[];
}

/**
 * Refuses a server that is not the one of the login: another id, or a key that neither was pinned nor
 * was let in by one that was. Gives the profile with the keys that were. A key that the server no
 * longer uses is no reason; bills that it signed still verify.
 */
export function checkPinned(profile: Profile, shown: ServerIdentity): Profile {
  const known = keyRing(profile.serverKeys.map(importPublicKey));
  const said = { typ: "sublet-server-key", schema: statement, iss: profile.serverId } as const;
  const found = successorsOf(known, shown.successionJws, said);
  const trusted = new Set([...known.values(), ...found].map(({ kid }) => kid));
  const others = shown.keys.filter((key) => !trusted.has(importPublicKey(key).kid));
  if (shown.serverId === profile.serverId && others.length === 0) {
    const serverKeys = [...profile.serverKeys, ...found.map((key) => ({ ...key }))];
    return found.length === 0 ? profile : { ...profile, serverKeys };
  }
  throw new CliError(
    "server-keys-changed",
    `the server at ${profile.url} is not the one of your login, or signs with other keys; ask its operator, and if that is meant run \`sublet login ${profile.url} --key KEY${nameFlag(profile)} --trust-new-keys\``,
    { url: profile.url, serverId: shown.serverId, pinnedServerId: profile.serverId },
  );
}

/** As much of `enablement/server-key.ts` as a client reads. */
const statement = z.looseObject({ iss: z.string(), newJwk: jwkSchema });

function nameFlag(profile: Profile): string {
  return profile.name === "default" ? "" : ` --as ${profile.name}`;
}
