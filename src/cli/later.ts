import { CliError } from "./failure.ts";
import { type Verb, verb } from "./verb.ts";

/** What the design has and this version has not: group, verb, and what to do until then. */
const LATER: readonly (readonly [group: string | null, name: string, instead: string])[] = [
  ["capacity", "enable", "hosts have no standby capacity yet"],
  ["capacity", "show", "hosts have no standby capacity yet"],
  ["capacity", "return", "hosts have no standby capacity yet"],
  ["capacity", "history", "hosts have no standby capacity yet"],
  ["usage", "import", "let the agent send its records itself"],
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
