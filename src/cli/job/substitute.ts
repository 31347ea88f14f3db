import { InputError } from "../../unit/quantity.ts";
import { quoted } from "../ssh/arguments.ts";

/**
 * What stands for an input: `{}` it, `{.}` it without its extension, `{/}` its last part, `{/.}` that
 * without its extension.
 */
const PLACEHOLDER = /\{(\/?\.?)\}/g;

export function substitute(text: string, input: string): string {
  return text.replace(PLACEHOLDER, (_, what: string) => partOf(input, what));
}

export function hasPlaceholder(texts: readonly string[]): boolean {
  return texts.some((text) => /\{\/?\.?\}/.test(text));
}

/** In a line for the guest's shell an input is one word, whatever characters it has. */
export function substituteInCommand(command: readonly string[], input: string): string[] {
  const isLine = command.length === 1;
  if (!isLine) return command.map((word) => substitute(word, input));
  return command.map((line) =>
    line.replace(PLACEHOLDER, (_, what: string) => quoted(partOf(input, what))),
  );
}

export function checkPlaceholder(command: readonly string[]): void {
  if (hasPlaceholder(command)) return;
  throw new InputError("say where each input goes in the command with {}, like: -- process {}");
}

function partOf(input: string, what: string): string {
  const path = what.startsWith("/") ? input.slice(input.lastIndexOf("/") + 1) : input;
  if (!what.endsWith(".")) return path;
  const slash = path.lastIndexOf("/");
  const dot = path.lastIndexOf(".");
  return dot > slash + 1 ? path.slice(0, dot) : path;
}
