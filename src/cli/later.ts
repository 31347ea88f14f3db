import { CliError } from "./failure.ts";
import { type Verb, verb } from "./verb.ts";

/** What the design has and this version has not: group, verb, and what to do until then. */
const LATER: readonly (readonly [group: string | null, name: string, instead: string])[] = [
  ["account", "credit-limit", "deposit money with `sublet account deposit`"],
  ["account", "statement", "see `sublet account show` and `sublet bill list`"],
  ["capacity", "issue", "hosts have no standby capacity yet"],
  ["capacity", "enable", "hosts have no standby capacity yet"],
  ["capacity", "show", "hosts have no standby capacity yet"],
  ["capacity", "return", "hosts have no standby capacity yet"],
  ["capacity", "history", "hosts have no standby capacity yet"],
  ["usage", "show", "see the lines of `sublet bill show`"],
  ["usage", "export", "use `sublet bill export`, which holds the signed records"],
  ["usage", "import", "let the agent send its records itself"],
  [null, "backup", "stop the server and copy its data folder"],
  [null, "restore", "stop the server and put its data folder back"],
  [null, "completion", "see `sublet --help`"],
];

export const laterVerbs: readonly { readonly group: string | null; readonly verb: Verb }[] =
  LATER.map(([group, name, instead]) => ({ group, verb: refusedVerb(group, name, instead) }));

function refusedVerb(group: string | null, name: string, instead: string): Verb {
  const typed = group === null ? name : `${group} ${name}`;
  return verb({
    usage: `${name} [arguments...]`,
    summary: `Not in this version: ${instead}.`,
    examples: [`sublet ${typed}`],
    hidden: true,
    takesAnything: true,
    run: async () => {
      throw new CliError(
        "not-in-this-version",
        `\`sublet ${typed}\` is not in this version; ${instead}`,
        { verb: typed },
      );
    },
  });
}
