import { CommanderError } from "commander";
import { InputError } from "../unit/quantity.ts";
import { systemFailure } from "./system-failure.ts";

/** A "no" of the command line itself. The sentence tells the way out. */
export class CliError extends Error {
  override name = "CliError";
  readonly code: string;
  readonly about: Readonly<Record<string, unknown>>;
  constructor(code: string, message: string, about: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.about = about;
  }
}

export const EXIT_REFUSED = 1;
export const EXIT_WRONG_USAGE = 2;
/** A failure of ours where the exit code otherwise is that of somebody's command, as in ssh. */
export const EXIT_OURS = 255;

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly about: Readonly<Record<string, unknown>>;
  readonly exitCode: number;
  /** Set when this is a mistake of the program and not a refusal: its stack is worth seeing. */
  readonly stack?: string;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const said = error.code === "commander.help" ? "say which verb; see --help" : error.message;
    const message = said.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    return { code: "wrong-usage", message, about: {}, exitCode: EXIT_WRONG_USAGE };
  }
  if (error instanceof InputError) {
    return { code: "wrong-usage", message: error.message, about: {}, exitCode: EXIT_WRONG_USAGE };
  }
  if (isNamed(error)) {
    const about = error.about ?? error.detail ?? {};
    return { code: error.code, message: error.message, about, exitCode: EXIT_REFUSED };
  }
  const refused = systemFailure(error);
  if (refused !== undefined) return { ...refused, about: {}, exitCode: EXIT_REFUSED };
  const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
  return { code: "unexpected", message, about: {}, exitCode: EXIT_REFUSED, stack };
}

interface NamedError extends Error {
  readonly code: string;
  readonly about?: Readonly<Record<string, unknown>>;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * Refusals of the server, the agent, the drivers and the database carry a code in our form, like
 * `partition-in-use`, and a sentence for people. Codes of Node are `ENOENT` or `ERR_…`.
 */
function isNamed(error: unknown): error is NamedError {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" && /^[a-z]+(-[a-z]+)*$/.test(code);
}
