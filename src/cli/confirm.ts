import { createInterface } from "node:readline/promises";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";

/** Asks a person, on stderr so that stdout stays what was asked for. No answer is no. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  const { stdin, stderr } = context;
  if (!stdin.isTTY) {
    throw new CliError(
      "confirmation-needed",
      `${question} Type --yes to do it without being asked`,
    );
  }
  const terminal = createInterface({ input: stdin, output: stderr });
  const gone = new AbortController();
  terminal.once("close", () => gone.abort());
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: gone.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (gone.signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}
