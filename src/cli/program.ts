import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import type { CommonOptions, Context } from "./context.ts";
import { EXIT_WRONG_USAGE } from "./failure.ts";
import { withSuggestion } from "./naming/did-you-mean.ts";
import { takeOwnFlags } from "./own-flags.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Verb, VerbGroup } from "./verb.ts";
import { chapters } from "./verbs.ts";

/** One run: what it works with and how it will end. */
export interface Session {
  readonly surroundings: Surroundings;
  /** As it was typed. */
  readonly argv: readonly string[];
  exitCode: number;
  json: boolean;
  /** The command whose help would have told. */
  wronglyUsed?: Command;
}

const ABOUT = `Lend slices of computers to one another; bill what was really used.

Quantities are typed as people say them: 512MiB, 0.5 (cores), 90m, 0.10/h, now+2h.
Exit code: 0 done, 1 refused or failed, 2 wrong usage; run and ssh give the command's own, and 255
for a failure of Sublet's. With --json, stdout holds exactly one JSON document; a refusal is
{"error":{"code","message","about"}} there, with the same exit code. Progress goes to stderr.`;

/** The whole command line. Heavy modules are loaded by the verbs that need them. */
export function buildProgram(session: Session): Command {
  const { stdout, stderr } = session.surroundings;
  const program = new Command("sublet")
    .description(ABOUT)
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "show this")
    .helpCommand("help [command]", "Show the help of a command.")
    .configureHelp({ subcommandTerm: term, showGlobalOptions: false })
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // Told once, as every other failure, by the run.
      outputError: () => undefined,
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    });
  for (const { heading, verbs } of chapters) {
    program.commandsGroup(heading);
    for (const verb of verbs) {
      if ("verbs" in verb) addGroup(program, verb, session);
      else addVerb(program, verb, session);
    }
  }
  addCommonOptions(program, true);
  return program;
}

function addGroup(program: Command, group: VerbGroup, session: Session): void {
  const parent = program.command(group.name).description(group.summary).helpCommand(false);
  addCommonOptions(parent, true, { hidden: true });
  for (const verb of group.verbs) {
    const command = addVerb(parent, verb, session);
    if (verb.isDefault) parent.addHelpText("after", () => `\n${command.helpInformation()}`);
  }
}

function addVerb(parent: Command, verb: Verb, session: Session): Command {
  const command = parent
    .command(verb.usage, { hidden: verb.hidden ?? false, isDefault: verb.isDefault ?? false })
    .description(verb.summary);
  for (const argument of verb.arguments ?? []) command.addArgument(argument);
  for (const option of verb.options ?? []) command.addOption(option);
  addCommonOptions(command, verb.speaksAs ?? true);
  if (verb.passThrough) command.passThroughOptions();
  if (verb.takesAnything) command.allowUnknownOption().allowExcessArguments();
  command.exitOverride((error) => {
    if (error.exitCode !== 0) session.exitCode = verb.failureExitCode ?? EXIT_WRONG_USAGE;
    session.wronglyUsed = command;
    throw error;
  });
  const examples = verb.examples.map((example) => `  $ ${example}`).join("\n");
  command.addHelpText("after", `${verb.more ? `\n${verb.more}\n` : ""}\nExamples:\n${examples}`);
  command.action(() => perform(command, verb, session));
  return command;
}

async function perform(command: Command, verb: Verb, session: Session): Promise<void> {
  let context = contextOf(command, session);
  try {
    const words = verb.passThrough ? takeOwnFlags(command, session.argv) : command.processedArgs;
    // Flags of ours may have stood behind the first argument.
    context = contextOf(command, session);
    const input = { ...command.opts(), ...argumentsByName(command, words) };
    const outcome = await verb.run(context, input as never);
    session.exitCode = outcome.exitCode ?? 0;
    const text = context.json ? JSON.stringify(outcome.json) : outcome.text;
    if (text) context.stdout.write(`${text}\n`);
  } catch (error) {
    session.exitCode = verb.failureExitCode ?? 0;
    throw await withSuggestion(context, error);
  }
}

function contextOf(command: Command, session: Session): Context {
  const common = command.optsWithGlobals<CommonOptions>();
  session.json = common.json ?? false;
  const typed = typedBehind(command);
  return { ...session.surroundings, json: session.json, common, typed };
}

/** The root alone keeps them. A verb's name is the first word that is one. */
function typedBehind(command: Command): readonly string[] {
  let root = command;
  while (root.parent) root = root.parent;
  const { rawArgs } = root as Command & { readonly rawArgs: readonly string[] };
  return rawArgs.slice(rawArgs.indexOf(command.name()) + 1);
}

function argumentsByName(command: Command, words: readonly unknown[]): Record<string, unknown> {
  const entries = command.registeredArguments.map((argument, index) => [
    argument.name(),
    words[index],
  ]);
  return Object.fromEntries(entries);
}

/** Taken before the verb and behind it, so that nobody has to remember where they go. */
function addCommonOptions(command: Command, speaksAs: boolean, { hidden = false } = {}): void {
  const options = [
    new Option("--json", "print one JSON document"),
    new Option("--no-color", "print without colours (or NO_COLOR)"),
  ];
  if (speaksAs) {
    options.push(
      new Option("--as <profile>", "which stored login to use (or SUBLET_AS)"),
      new Option("--server <url>", "the server, without a stored login (or SUBLET_SERVER)"),
      new Option("--key <key>", "the key for --server (or SUBLET_KEY)"),
    );
  }
  const own = new Set(command.options.map((option) => option.long));
  for (const option of options) {
    if (!own.has(option.long)) command.addOption(option.helpGroup("Everywhere:").hideHelp(hidden));
  }
}

/** `create`, `show <id>`: that every verb has options goes without saying. */
function term(command: Command): string {
  const names = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const verbs = command.commands.length > 0 ? ["..."] : names;
  return [command.name(), ...verbs].join(" ");
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
