import { CommanderError } from "commander";
import { withDefaultVerb } from "./default-verb.ts";
import { describeFailure, EXIT_WRONG_USAGE, type Failure } from "./failure.ts";
import { buildProgram, type Session } from "./program.ts";
import type { Surroundings } from "./surroundings.ts";

/** Runs one command line and gives its exit code. Never throws. */
export async function run(typed: readonly string[], surroundings: Surroundings): Promise<number> {
  const argv = withDefaultVerb(typed);
  const session: Session = { surroundings, argv, exitCode: 0, json: asksForJson(argv) };
  try {
    await buildProgram(session).parseAsync([...argv], { from: "user" });
    return session.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && isHelp(error)) {
      if (error.exitCode === 0) return 0;
      if (!session.json) return EXIT_WRONG_USAGE;
    }
    const failure = withHelp(describeFailure(error), session);
    printFailure(failure, session.json, surroundings);
    return session.exitCode || failure.exitCode;
  }
}

/** Wrong usage is found before options are known, and must be told as JSON too. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? undefined : end).includes("--json");
}

/** Help and version have been printed already; a group without a verb shows its help as an error. */
function isHelp(error: CommanderError): boolean {
  return ["commander.help", "commander.helpDisplayed", "commander.version"].includes(error.code);
}

function withHelp(failure: Failure, { wronglyUsed }: Session): Failure {
  if (wronglyUsed === undefined) return failure;
  const names = [wronglyUsed.name()];
  for (let one = wronglyUsed.parent; one; one = one.parent) names.unshift(one.name());
  return { ...failure, message: `${failure.message}; see \`${names.join(" ")} --help\`` };
}

function printFailure(
  failure: Failure,
  json: boolean,
  { stdout, stderr, environment }: Surroundings,
) {
  const { code, message, about } = failure;
  if (json) stdout.write(`${JSON.stringify({ error: { code, message, about } })}\n`);
  else if (failure.stack === undefined) stderr.write(`sublet: ${message}\n`);
  else if (!environment.debug) {
    stderr.write(`sublet: unexpected: ${message} (SUBLET_DEBUG=1 shows where)\n`);
  }
  if (failure.stack !== undefined && environment.debug) stderr.write(`${failure.stack}\n`);
}
