import { expect, test } from "vitest";
import { type Piece, piecesOf } from "./json-texts.ts";

async function* inChunks(text: string, length: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length);
}

async function read(text: string, length = 7): Promise<readonly Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of piecesOf(inChunks(text, length))) pieces.push(piece);
  return pieces;
}

const FILE = {
  kind: 'a "kind" \\ with \\" marks and \u00e9',
  version: 1,
  acts: ["one", "tw\\o", ""],
  empty: [],
  usage: ["three"],
  billNow: { demandedAt: "2027-01-01", again: 2 },
  none: {},
  nothing: null,
};
const PIECES = [
  { kind: "value", name: "kind", value: FILE.kind },
  { kind: "value", name: "version", value: 1 },
  { kind: "texts", name: "acts" },
  ...FILE.acts.map((text) => ({ kind: "text", name: "acts", text })),
  { kind: "texts", name: "empty" },
  { kind: "texts", name: "usage" },
  { kind: "text", name: "usage", text: "three" },
  { kind: "value", name: "billNow", value: FILE.billNow },
  { kind: "value", name: "none", value: {} },
  { kind: "value", name: "nothing", value: null },
];

test.each([1, 2, 3, 7, 1000])("a file is read the same in chunks of %d", async (length) => {
  expect(await read(JSON.stringify(FILE), length)).toEqual(PIECES);
  expect(await read(`\n${JSON.stringify(FILE, null, 2)}\n`, length)).toEqual(PIECES);
});

test("a file that was cut off anywhere is refused", async () => {
  const text = JSON.stringify(FILE);
  for (let end = 0; end < text.length; end++) {
    await expect(read(text.slice(0, end)), text.slice(0, end)).rejects.toThrow();
  }
});

test.each([
  ["a list", "[]"],
  ["a text", '"text"'],
  ["something behind its end", "{}{}"],
  ["lists in lists", '{"acts":[["one"]]}'],
  ["numbers in lists", '{"acts":[1]}'],
  ["objects in objects", '{"acts":{"one":{"two":1}}}'],
  ["lists in objects", '{"acts":{"one":["two"]}}'],
  ["no JSON", '{"acts":[one]}'],
  ["no names", '{1:"one"}'],
  ["no end of a word", `{"acts":${"a".repeat(100)}`],
  ["no JSON in a text", '{"kind":"a\\x"}'],
])("what has %s is refused", async (_what, text) => {
  await expect(read(text)).rejects.toThrow();
});
