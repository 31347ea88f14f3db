import encodeQR from "qr";
import { CliError } from "../failure.ts";

/** More in one drawing is read from paper by good cameras alone. */
const CHARACTERS_MAX = 800;
/** A person scans no more than so many of one text. */
const PARTS_MAX = 12;
/** Light around it, in modules, as ISO/IEC 18004 demands. */
const QUIET = 4;
/** In modules: room for a caption below each drawing of a file. */
const CAPTION = 8;

/** True: a dark module. */
type Drawing = readonly (readonly boolean[])[];

/**
 * A signed text as QR codes of nearly one size. White space in such a text means nothing, so what a
 * scanner types for one after the other is the text. None is wider than `modulesMax`.
 */
export function drawParts(text: string, modulesMax = Number.POSITIVE_INFINITY): readonly Drawing[] {
  const least = Math.ceil(text.length / CHARACTERS_MAX);
  for (let count = least; count <= PARTS_MAX; count++) {
    const length = Math.ceil(text.length / count);
    const parts = text.match(new RegExp(`.{1,${length}}`, "g")) ?? [];
    const drawings = parts.map((part) => encodeQR(part, "raw", { ecc: "low", border: QUIET }));
    if (drawings.every((drawing) => drawing.length <= modulesMax)) return drawings;
  }
  throw new CliError(
    "terminal-narrow",
    `the code would take more than ${PARTS_MAX} QR codes of ${modulesMax} columns; widen the terminal, or draw into a file with --qr FILE.svg`,
  );
}

/** On a terminal: two rows of modules a line. With colours it is dark on light on any terminal. */
export function terminalText(
  text: string,
  screen: { readonly columns: number; readonly isColoured: boolean },
): string {
  const drawings = drawParts(text, screen.columns);
  const [begin, end] = screen.isColoured ? ["\u001b[97;40m", "\u001b[0m"] : ["", ""];
  return drawings
    .map((drawing, index) => {
      const lines = halfBlocks(drawing).map((line) => `${begin}${line}${end}`);
      return [...lines, captionOf(index, drawings.length)].join("\n");
    })
    .join("\n\n");
}

/** All drawings of a text below one another, for a page of paper. */
export function svgText(text: string): string {
  const drawings = drawParts(text);
  const width = Math.max(...drawings.map((drawing) => drawing.length));
  let top = 0;
  const figures = drawings.map((drawing, index) => {
    const caption = captionOf(index, drawings.length);
    const at = `<g transform="translate(0 ${top})"><path d="${pathOf(drawing)}"/>`;
    const below = drawing.length + CAPTION / 2;
    top += drawing.length + CAPTION;
    return `${at}<text x="${QUIET}" y="${below}" font-size="4">${caption}</text></g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}mm" height="${top}mm" shape-rendering="crispEdges">`,
    `<rect width="${width}" height="${top}" fill="white"/>`,
    ...figures,
    "</svg>",
  ].join("\n");
}

function captionOf(index: number, count: number): string {
  return count === 1
    ? "the whole code"
    : `part ${index + 1} of ${count}, to be scanned in this order`;
}

const BLOCKS = ["█", "▀", "▄", " "] as const;

/** Light modules are drawn: a terminal is dark where nothing is. */
function halfBlocks(drawing: Drawing): readonly string[] {
  const lines: string[] = [];
  for (let y = 0; y < drawing.length; y += 2) {
    const upper = drawing[y] ?? [];
    const lower = drawing[y + 1] ?? upper.map(() => true);
    lines.push(upper.map((dark, x) => BLOCKS[(dark ? 2 : 0) + (lower[x] ? 1 : 0)]).join(""));
  }
  return lines;
}

/** One rectangle for each run of dark modules. */
function pathOf(drawing: Drawing): string {
  return drawing
    .flatMap((row, y) => runsOf(row).map(([x, length]) => `M${x} ${y}h${length}v1h-${length}z`))
    .join("");
}

function runsOf(row: readonly boolean[]): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const [x, dark] of row.entries()) {
    const last = runs.at(-1);
    if (!dark) continue;
    if (last !== undefined && last[0] + last[1] === x) last[1] += 1;
    else runs.push([x, 1]);
  }
  return runs;
}
