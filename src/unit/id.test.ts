import fc from "fast-check";
import { expect, test } from "vitest";
import { ID_PREFIXES, isId, newId } from "./id.ts";

const yearEnd3000Ms = Date.UTC(3000, 11, 31);

test.each(ID_PREFIXES)("a new %s id is one of its kind and of no other", (prefix) => {
  const id = newId(prefix);
  expect(id).toMatch(new RegExp(`^${prefix}_`));
  for (const other of ID_PREFIXES) expect(isId(other, id)).toBe(other === prefix);
});

test("ids made later sort later", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: yearEnd3000Ms }),
      fc.integer({ min: 0, max: yearEnd3000Ms }),
      (aMs, bMs) => {
        fc.pre(aMs !== bMs);
        expect(newId("lease", aMs) < newId("lease", bMs)).toBe(aMs < bMs);
      },
    ),
  );
});

test("ids of one millisecond differ", () => {
  const ids = new Set(Array.from({ length: 1000 }, () => newId("batch", 0)));
  expect(ids.size).toBe(1000);
});

test("an id of a known time begins with that time in base 32", () => {
  expect(newId("host", 0)).toMatch(/^host_000000000/);
  expect(newId("host", 32)).toMatch(/^host_000000010/);
  expect(newId("host", 2 ** 45 - 1)).toMatch(/^host_zzzzzzzzz/);
});

const good = newId("lease");
test.each([
  ["empty", ""],
  ["the prefix alone", "lease_"],
  ["one character less", good.slice(0, -1)],
  ["one character more", `${good}0`],
  ["an upper case letter", `${good.slice(0, -1)}A`],
  ["an i", `${good.slice(0, -1)}i`],
  ["an l", `${good.slice(0, -1)}l`],
  ["an o", `${good.slice(0, -1)}o`],
  ["a u", `${good.slice(0, -1)}u`],
  ["a line break at the end", `${good}\n`],
  ["something before", ` ${good}`],
  ["no underline", good.replace("_", "")],
])("%s is not an id", (_name, text) => {
  expect(isId("lease", text)).toBe(false);
});
