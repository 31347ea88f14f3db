import { stripVTControlCharacters } from "node:util";

/** All that moves a cursor, changes a terminal or the direction of a text, but lines and tabs. */
const CONTROL = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The beginning of a text, for a table. */
export function oneLine(text: string): string {
  return plainText(text).replace(/\s+/g, " ").slice(0, 60);
}

/**
 * A text that somebody else wrote, such as a guest's console, so that it can do nothing to the
 * terminal of the person who reads it: known sequences go, and what control is left is made visible.
 */
export function plainText(text: string): string {
  const lines = stripVTControlCharacters(text).replaceAll(/\r+\n?/g, "\n");
  return lines.replaceAll(CONTROL, "\ufffd");
}
