import decodeQR from "qr/decode.js";
import { expect, test } from "vitest";
import { svgText, terminalText } from "./qr.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
/** As long as a code is, and of its characters. */
const CODE = Array.from({ length: 2100 }, (_, i) => ALPHABET[(i * i + 7 * i) % 65]).join("");

/** Reads what a camera sees: each module some pixels wide. */
function scan(drawing: readonly (readonly boolean[])[]): string {
  const scale = 3;
  const side = drawing.length * scale;
  const data = new Uint8Array(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const isDark = drawing[Math.floor(y / scale)]?.[Math.floor(x / scale)];
      const at = (y * side + x) * 4;
      if (isDark) data.fill(0, at, at + 3);
    }
  }
  return decodeQR({ width: side, height: side, data });
}

/** What stands on a dark screen, module by module. */
function seenOnScreen(text: string): readonly (readonly boolean[])[] {
  const rows = text.split("\n").filter((line) => /^[█▀▄ ]+$/.test(line));
  const lines = rows.flatMap((row) => {
    const blocks = [...row];
    return [
      blocks.map((block) => block === "▄" || block === " "),
      blocks.map((block) => block === "▀" || block === " "),
    ];
  });
  return lines.slice(0, rows[0]?.length);
}

/** What is printed of an SVG that has nothing but runs of dark modules. */
function seenOnPaper(svg: string): readonly (readonly (readonly boolean[])[])[] {
  const [, width = "0"] = /viewBox="0 0 (\d+)/.exec(svg) ?? [];
  return [...svg.matchAll(/ d="([^"]+)"/g)].map(([, path = ""]) => {
    const side = Number(width);
    const drawing = Array.from({ length: side }, () => Array<boolean>(side).fill(false));
    for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
      drawing[Number(y)]?.fill(true, Number(x), Number(x) + Number(length));
    }
    return drawing;
  });
}

test.each([80, 120, 200])(
  "what a terminal of %i columns shows is scanned as the code",
  (columns) => {
    const text = terminalText(CODE, { columns, isColoured: false });
    const parts = text.split("\n\n");
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
    expect(parts.map((part) => scan(seenOnScreen(part))).join("")).toBe(CODE);
    expect(parts[0]).toContain(`part 1 of ${parts.length}, to be scanned in this order`);
  },
);

test("what is printed on paper is scanned as the code", () => {
  const drawings = seenOnPaper(svgText(CODE));
  expect(drawings).toHaveLength(3);
  expect(drawings.map(scan).join("")).toBe(CODE);
});

test("with colours it is dark on light whatever the terminal's own are", () => {
  const [line = ""] = terminalText(CODE, { columns: 80, isColoured: true }).split("\n");
  expect(line.startsWith("\u001b[97;40m█")).toBe(true);
  expect(line.endsWith("█\u001b[0m")).toBe(true);
});

test("a terminal that is too narrow is told what else there is", () => {
  const draw = () => terminalText(CODE, { columns: 30, isColoured: false });
  expect(draw).toThrow("widen the terminal, or draw into a file with --qr FILE.svg");
});
