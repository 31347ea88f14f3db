import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, sha256Hex } from "./canonical.ts";

test.each<[string, unknown, string]>([
  ["null", null, "null"],
  ["true", true, "true"],
  ["text with quotes and controls", 'a"\n\u0001', String.raw`"a\"\n\u0001"`],
  ["text beyond ASCII, as it is", "é€😀", '"é€😀"'],
  ["minus zero", -0, "0"],
  ["the largest integer", Number.MAX_SAFE_INTEGER, "9007199254740991"],
  ["an empty list", [], "[]"],
  ["an empty object", {}, "{}"],
  [
    "keys in the order of UTF-16 units",
    { b: 1, a: 2, "€": 3, A: 4, "😀": 5, "": 6 },
    '{"":6,"A":4,"a":2,"b":1,"€":3,"😀":5}',
  ],
  ["a member that is undefined, left out", { a: undefined, b: 1 }, '{"b":1}'],
  ["nesting", { z: [{ y: 1, x: [null] }] }, '{"z":[{"x":[null],"y":1}]}'],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  ["a member called __proto__", JSON.parse('{"__proto__":1,"a":2}'), '{"__proto__":1,"a":2}'],
])("%s has one text", (_name, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test.each<[string, unknown]>([
  ["a fraction", 0.5],
  ["not-a-number", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["an unsafe integer", 2 ** 53],
  ["a bigint", 1n],
  ["undefined", undefined],
  ["undefined in a list", [undefined]],
  ["a hole in a list", new Array(1)],
  ["a function", () => 1],
  ["a symbol", Symbol("x")],
  ["a date, which would be {}", new Date(0)],
  ["a map, which would be {}", new Map([[1, 2]])],
  ["bytes", new Uint8Array(1)],
  ["a lone surrogate", "\ud800"],
  ["a lone surrogate in a key", { "\ud800": 1 }],
])("%s has no canonical form", (_name, value) => {
  expect(() => canonicalJson(value)).toThrow(TypeError);
  expect(() => canonicalJson({ inside: [value] })).toThrow(TypeError);
});

const jsonValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "binary" }), tie("value"), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
})).value;

test("reading the text back gives the value, and the same text again", () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
    }),
  );
});

test("the order in which members were set does not show", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer(), { noNullPrototype: true }), (object) => {
      const reversed = Object.fromEntries(Object.entries(object).reverse());
      expect(canonicalJson(reversed)).toBe(canonicalJson(object));
    }),
  );
});

test("sha256 is that of the standard", () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(sha256Hex("abc")).toBe(abc);
  expect(sha256Hex(new TextEncoder().encode("abc"))).toBe(abc);
});
