import { chapters } from "./verbs.ts";

/** Taken everywhere, with the word behind them. */
const WITH_VALUE: readonly string[] = ["--as", "--server", "--key"];

/**
 * Puts in the verb of a group that may be left out: `run -- make` is `run job -- make`. What was
 * typed stays as it is where another verb of the group, or its help, is meant.
 */
export function withDefaultVerb(argv: readonly string[]): readonly string[] {
  const at = nextWord(argv, 0);
  const defaultVerb = DEFAULTS.get(argv[at] ?? "");
  if (defaultVerb === undefined) return argv;
  const next = argv[nextWord(argv, at + 1)];
  if (next === undefined || next === "--help" || next === "-h") return argv;
  return defaultVerb.others.has(next) ? argv : argv.toSpliced(at + 1, 0, defaultVerb.name);
}

const DEFAULTS = new Map(
  chapters
    .flatMap(({ verbs }) => verbs)
    .flatMap((group) => {
      if (!("verbs" in group)) return [];
      const names = group.verbs.map(({ usage }) => usage.split(" ")[0] ?? "");
      const name = names[group.verbs.findIndex(({ isDefault }) => isDefault)];
      return name === undefined ? [] : [[group.name, { name, others: new Set(names) }] as const];
    }),
);

/** The first word at or behind `from` that is neither a common flag nor its value. */
function nextWord(argv: readonly string[], from: number): number {
  for (let at = from; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (WITH_VALUE.includes(word)) at++;
    else if (!COMMON.test(word)) return at;
  }
  return argv.length;
}

const COMMON = /^--(?:json|no-color|(?:as|server|key)=.*)$/;
