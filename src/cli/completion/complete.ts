import type { Command, Option } from "commander";
import type { Kind } from "../naming/known.ts";

/** What may stand where the cursor is. */
export type Wanted =
  | { readonly kind: "words"; readonly words: readonly Word[] }
  /** Something that the server knows; `host` narrows partitions. */
  | { readonly kind: "known"; readonly of: Kind; readonly host?: string }
  | { readonly kind: "profiles" }
  /** Files, or anything at all: the shell's own matter. */
  | { readonly kind: "shell" };

export interface Word {
  readonly text: string;
  readonly about: string;
}

/** What arguments and options are called, and of what kind their values are. */
const KIND_OF_NAME: Readonly<Record<string, Kind>> = {
  lease: "lease",
  host: "host",
  party: "party",
  os: "os",
  offer: "offer",
  bill: "bill",
  partition: "partition",
  customer: "party",
  billOrFile: "bill",
  only: "party",
  except: "party",
};

/** Beside those: what `<id>` and `<name>` are in a group. A `host add` makes a new name. */
const KIND_IN_GROUP: Readonly<Record<string, Kind>> = {
  "lease id": "lease",
  "bill id": "bill",
  "offer id": "offer",
  "run id": "run",
  "host name": "host",
  "partition name": "partition",
  "offer name": "partition",
  "capacity request": "request",
  "capacity code": "code",
};
const NEW_NAME = "host add";

/**
 * What may come behind the typed words, by the program's own tree of verbs and options. The last of
 * `typed` is the one under the cursor, perhaps empty.
 */
export function completionAt(program: Command, typed: readonly string[]): Wanted {
  const words = typed.slice(0, -1);
  const current = typed.at(-1) ?? "";
  let command = program;
  const given: string[] = [];
  let expects: Option | undefined;
  for (const word of words) {
    if (expects) expects = undefined;
    else if (word === "--") return { kind: "shell" };
    else if (word.startsWith("-")) expects = takesNext(command, word);
    else {
      const verb = command.commands.find((one) => one.name() === word);
      if (verb && given.length === 0) command = verb;
      else given.push(word);
    }
  }
  if (expects) return valuesOf(expects);
  const [, long = ""] = /^(--[a-z-]+)=/.exec(current) ?? [];
  if (long) {
    const option = optionNamed(command, long);
    return option ? valuesOf(option) : { kind: "shell" };
  }
  if (current.startsWith("-")) return { kind: "words", words: optionWords(command) };
  if (command.commands.length > 0) return { kind: "words", words: verbWords(command) };
  return argumentAt(command, given);
}

function takesNext(command: Command, word: string): Option | undefined {
  const option = word.includes("=") ? undefined : optionNamed(command, word);
  return option?.required || option?.optional ? option : undefined;
}

function optionNamed(command: Command, flag: string): Option | undefined {
  for (let one: Command | null = command; one; one = one.parent) {
    const found = one.options.find((option) => option.long === flag || option.short === flag);
    if (found) return found;
  }
  return undefined;
}

function valuesOf(option: Option): Wanted {
  if (option.argChoices) return { kind: "words", words: option.argChoices.map(bare) };
  if (option.long === "--as") return { kind: "profiles" };
  const kind = KIND_OF_NAME[option.attributeName()];
  return kind ? { kind: "known", of: kind } : { kind: "shell" };
}

function argumentAt(command: Command, given: readonly string[]): Wanted {
  const all = command.registeredArguments;
  const argument = all[given.length] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (!argument) return { kind: "words", words: optionWords(command) };
  if (argument.argChoices) return { kind: "words", words: argument.argChoices.map(bare) };
  const group = command.parent?.name() ?? "";
  const name = argument.name();
  if (`${group} ${command.name()}` === NEW_NAME) return { kind: "words", words: [] };
  const kind = KIND_OF_NAME[name] ?? KIND_IN_GROUP[`${group} ${name}`];
  if (kind === undefined) return { kind: "shell" };
  const host = kind === "partition" ? given[0] : undefined;
  return { kind: "known", of: kind, ...(host === undefined ? {} : { host }) };
}

function verbWords(command: Command): Word[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ text: one.name(), about: one.description() }));
}

function optionWords(command: Command): Word[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ text: long ?? short ?? "", about: description }));
}

function bare(text: string): Word {
  return { text, about: "" };
}
