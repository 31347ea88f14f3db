import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../unit/quantity.ts";
import { CliError } from "../failure.ts";
import { readIfThere, writePrivateFile } from "./private-file.ts";

/** The profile of who did not say another name. */
export const DEFAULT_PROFILE = "default";

export type PublicJwk = Record<string, string>;

/** One login: which server, with which key, and the server's own keys as they were then. */
export interface Profile {
  readonly version: 1;
  readonly name: string;
  readonly url: string;
  readonly key: string;
  readonly party: { readonly partyId: string; readonly name: string };
  readonly serverId: string;
  readonly serverKeys: readonly PublicJwk[];
}

/** Undefined when there is no such profile. One file per profile: two logins at once meet nowhere. */
export async function readProfile(
  configFolder: string,
  name: string,
): Promise<Profile | undefined> {
  const path = profilePath(configFolder, name);
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const profile = parse(text);
  if (profile?.version === 1) return profile as Profile;
  throw new CliError(
    "profile-damaged",
    `${path} cannot be read; remove it and run \`sublet login URL --key KEY\` again`,
    { path },
  );
}

export async function writeProfile(configFolder: string, profile: Profile): Promise<void> {
  const text = `${JSON.stringify(profile, null, 2)}\n`;
  await writePrivateFile(profilePath(configFolder, profile.name), text);
}

export async function listProfiles(configFolder: string): Promise<string[]> {
  const files = await readdir(join(configFolder, "profiles")).catch(noFolder);
  return files
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

function profilePath(configFolder: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) {
    throw new InputError(
      `"${name}" is not a profile's name; use lower case letters, digits, ".", "_" and "-"`,
    );
  }
  return join(configFolder, "profiles", `${name}.json`);
}

function parse(text: string): Partial<Profile> | undefined {
  try {
    return JSON.parse(text) as Partial<Profile>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function noFolder(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}
