import Table from "cli-table3";
import type { Context } from "../context.ts";
import { shortenIds } from "../naming/short-id.ts";
import { isColoured } from "./colour.ts";
import { type Breaks, leastWidth, wrap } from "./wrap.ts";

const GAP = 2;

const NO_LINES = Object.fromEntries(
  ["top", "bottom", "mid"]
    .flatMap((edge) => [edge, `${edge}-mid`, `${edge}-left`, `${edge}-right`])
    .concat("left", "left-mid", "mid-mid", "right", "right-mid", "middle")
    .map((name) => [name, ""]),
);

/**
 * Rows under headings, no lines. On a terminal it fits, words staying whole where they can, and ids are
 * as short as they may be typed; elsewhere it is as wide as it is and ids are whole.
 */
export function table(
  context: Pick<Context, "stdout" | "environment"> & { readonly common?: Context["common"] },
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const { isTTY, columns: width = 80 } = context.stdout;
  const shown = isTTY ? withShortIds(rows, headings.length) : rows;
  const columns = headings.map((heading, i) => [heading, ...shown.map((row) => row[i] ?? "")]);
  const { widths, breaks } = fitted(columns, isTTY ? width : Number.POSITIVE_INFINITY);
  const bold = isColoured(context, context.stdout);
  const drawn = new Table({
    head: headings.map((text, i) => inBold(wrap(text, widths[i] ?? 0, breaks), bold)),
    colWidths: widths.map((width) => width + GAP),
    chars: NO_LINES,
    style: { head: [], border: [], "padding-left": 0, "padding-right": GAP },
  });
  for (const row of shown) {
    drawn.push(row.map((cell, i) => wrap(cell, widths[i] ?? 0, breaks)));
  }
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

function inBold(text: string, bold: boolean): string {
  if (!bold) return text;
  return text
    .split("\n")
    .map((line) => `\u001b[1m${line}\u001b[22m`)
    .join("\n");
}

/** Names and values, one per line. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width + GAP)}${value}`.trimEnd()).join("\n");
}

function withShortIds(rows: readonly (readonly string[])[], width: number): string[][] {
  const columns = Array.from({ length: width }, (_, i) => shortenIds(rows.map((r) => r[i] ?? "")));
  return rows.map((_, at) => columns.map((column) => column[at] ?? ""));
}

/**
 * Takes from the widest column that can give, until the row fits: between words, and where that is
 * too wide still, within them. When both are, the terminal wraps the line and nothing is cut.
 */
function fitted(
  columns: readonly (readonly string[])[],
  terminalWidth: number,
): { readonly widths: number[]; readonly breaks: Breaks } {
  const natural = columns.map((cells) =>
    Math.max(...cells.flatMap((text) => text.split("\n")).map((line) => line.length)),
  );
  // Behind the last column there is no gap to see.
  const room = terminalWidth - GAP * (columns.length - 1);
  const least = (breaks: Breaks) =>
    columns.map((cells) => Math.max(...cells.map((text) => leastWidth(text, breaks))));
  const byWords = least("words");
  const breaks = sum(byWords) <= room ? "words" : "parts";
  const floor = breaks === "words" ? byWords : least("parts");
  const widths = [...natural];
  while (sum(widths) > room) {
    const giving = widths.map((width, i) => (width > (floor[i] ?? 0) ? width : 0));
    const widest = giving.indexOf(Math.max(...giving));
    if ((giving[widest] ?? 0) === 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return { widths, breaks };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
