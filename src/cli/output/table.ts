import Table from "cli-table3";
import type { Context } from "../context.ts";

/** Columns never get narrower than this, however narrow the terminal. */
const WIDTH_MIN = 8;
const GAP = 2;

const NO_LINES = Object.fromEntries(
  ["top", "bottom", "mid"]
    .flatMap((edge) => [edge, `${edge}-mid`, `${edge}-left`, `${edge}-right`])
    .concat("left", "left-mid", "mid-mid", "right", "right-mid", "middle")
    .map((name) => [name, ""]),
);

/** Rows under headings, no lines. On a terminal it fits; elsewhere it is as wide as it is. */
export function table(
  context: Pick<Context, "stdout" | "environment">,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const { isTTY, columns } = context.stdout;
  const widths = fitted(
    headings.map((heading, i) =>
      Math.max(...[heading, ...rows.map((r) => r[i] ?? "")].map(longest)),
    ),
    isTTY ? (columns ?? 80) : Number.POSITIVE_INFINITY,
  );
  const bold = isTTY && !context.environment.colourless;
  const drawn = new Table({
    head: headings.map((text) => (bold ? `\u001b[1m${text}\u001b[22m` : text)),
    colWidths: widths.map((width) => width + GAP),
    wordWrap: true,
    wrapOnWordBoundary: false,
    chars: NO_LINES,
    style: { head: [], border: [], "padding-left": 0, "padding-right": GAP },
  });
  for (const row of rows) drawn.push([...row]);
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Names and values, one per line. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width + GAP)}${value}`.trimEnd()).join("\n");
}

function longest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

/** Takes from the widest column until the row fits. */
function fitted(natural: readonly number[], terminalWidth: number): number[] {
  const widths = [...natural];
  const room = terminalWidth - GAP * widths.length;
  while (widths.reduce((sum, width) => sum + width, 0) > room) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= WIDTH_MIN) break;
    widths[widest] = width - 1;
  }
  return widths;
}
