import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { checkPinned } from "./config/pinned-keys.ts";
import { DEFAULT_PROFILE, type Profile, readProfile, writeProfile } from "./config/profile.ts";
import { clientOf, connect } from "./connect.ts";
import { CliError } from "./failure.ts";
import { named } from "./option/quantity.ts";
import { parseServerUrl } from "./option/url.ts";
import { facts } from "./output/table.ts";
import { verb } from "./verb.ts";

export const loginVerb = verb<{
  url: string;
  key: string;
  as?: string;
  replace?: true;
  trustNewKeys?: true;
}>({
  usage: "login <url>",
  summary: "Store a key, and pin the public keys of its server.",
  examples: [
    "sublet login http://127.0.0.1:7070 --key KEY",
    "sublet login http://127.0.0.1:7070 --key KEY --as lender",
  ],
  more: "The login is stored for you alone. Later the server is refused when its keys have changed.",
  speaksAs: false,
  options: [
    new Option("--key <key>", "the key that the operator gave you").makeOptionMandatory(),
    new Option("--as <profile>", "store it under this name, beside other logins"),
    new Option("--replace", "in place of another party's login of that name"),
    new Option("--trust-new-keys", "pin the server's present keys in place of others"),
  ],
  run: async (context, { url, key, as, replace, trustNewKeys }) => {
    const address = named("url", () => parseServerUrl(url));
    const { configFolder } = context.environment;
    const name = as ?? context.environment.profile ?? DEFAULT_PROFILE;
    const before = await readProfile(configFolder, name);
    const client = await clientOf(address, key);
    const server = await client.call("describeServer");
    if (before?.url === address && !trustNewKeys) checkPinned(before, server);
    const party = await client.call("whoami");
    if (before && before.party.partyId !== party.partyId && !replace) throw taken(before);
    const profile: Profile = {
      version: 1,
      name,
      url: address,
      key,
      party: { partyId: party.partyId, name: party.name },
      serverId: server.serverId,
      serverKeys: server.keys,
    };
    await writeProfile(configFolder, profile);
    const { serverId } = profile;
    return { json: { ...shown(profile, party), serverId }, text: text(profile, party) };
  },
});

export const whoamiVerb = verb({
  usage: "whoami",
  summary: "Show which party you are, on which server.",
  examples: ["sublet whoami", "sublet whoami --as lender"],
  run: async (context) => {
    const { client, profile } = await connect(context);
    const party = await client.call("whoami");
    const who = { url: client.url, name: profile?.name ?? null };
    return { json: shown(who, party), text: text(who, party) };
  },
});

/** The only copy of somebody's key may be in there. */
function taken({ name, party, url }: Profile): CliError {
  return new CliError(
    "profile-taken",
    `the login ${name} is that of ${party.name} at ${url}; choose another name with --as NAME, or give it up with --replace`,
    { profile: name, party: party.name, url },
  );
}

interface Who {
  readonly url: string;
  /** Null when there is no stored login. */
  readonly name: string | null;
}

function shown({ url, name }: Who, party: Response<"whoami">) {
  return { server: url, profile: name, party };
}

function text({ url, name }: Who, party: Response<"whoami">): string {
  return facts([
    ["party", `${party.name} (${party.partyId})`],
    ["roles", party.roles.join(", ")],
    ["server", url],
    ["login", name ?? "not stored"],
  ]);
}
