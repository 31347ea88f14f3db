import type { Client } from "../api/client/client.ts";
import { InputError } from "../unit/quantity.ts";
import { checkPinned } from "./config/pinned-keys.ts";
import {
  DEFAULT_PROFILE,
  listProfiles,
  type Profile,
  readProfile,
  writeProfile,
} from "./config/profile.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { parseServerUrl } from "./option/url.ts";

export interface Connection {
  readonly client: Client;
  /** Null when `--server` and `--key` were given instead. */
  readonly profile: Profile | null;
  /** Under which the SSH keys of whoever asks are kept. */
  readonly profileName: string;
}

/**
 * The server that this command line speaks to, as whom. With a stored login the server's keys are
 * compared with the pinned ones before anything else is sent.
 */
export async function connect(context: Context): Promise<Connection> {
  const { environment, common } = context;
  // An option that was typed goes before a variable, and a profile that was named before a server
  // that was not.
  const url = common.server ?? (common.as === undefined ? environment.server : undefined);
  if (url !== undefined) {
    const key = common.key ?? environment.key;
    if (key === undefined) {
      throw new InputError("--server also needs --key KEY (or SUBLET_KEY)");
    }
    const client = await clientOf(parseServerUrl(url), key);
    return {
      client,
      profile: null,
      profileName: common.as ?? environment.profile ?? DEFAULT_PROFILE,
    };
  }
  if (common.key !== undefined) throw new InputError("--key also needs --server URL");
  const stored = await chosenProfile(context);
  const client = await clientOf(stored.url, stored.key);
  const profile = checkPinned(stored, await client.call("describeServer"));
  if (profile !== stored) await writeProfile(environment.configFolder, profile);
  return { client, profile, profileName: profile.name };
}

/** The stored login: the one named, else `default`, else the only one that there is. */
export async function chosenProfile(context: Context): Promise<Profile> {
  const { configFolder, profile: fromEnvironment } = context.environment;
  const name = context.common.as ?? fromEnvironment;
  const found = await readProfile(configFolder, name ?? DEFAULT_PROFILE);
  if (found) return found;
  const names = await listProfiles(configFolder);
  const [only] = names;
  if (name === undefined && names.length === 1 && only !== undefined) {
    const profile = await readProfile(configFolder, only);
    if (profile) return profile;
  }
  throw new CliError("not-logged-in", sentence(name, names), { profile: name ?? null, names });
}

export async function clientOf(url: string, key: string): Promise<Client> {
  // The contract's schemas take most of the time of a start; `--help` does without.
  const { createClient } = await import("../api/client/client.ts");
  return createClient({ url, authorization: () => key });
}

function sentence(name: string | undefined, names: readonly string[]): string {
  if (names.length === 0) return "you are not logged in; run `sublet login URL --key KEY`";
  const choice = names.join(", ");
  return name === undefined
    ? `several logins are stored; choose one of ${choice} with --as or SUBLET_AS`
    : `there is no login named ${name}; there is ${choice}; add it with \`sublet login URL --key KEY --as ${name}\``;
}
