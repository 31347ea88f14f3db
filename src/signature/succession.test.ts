import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { sign } from "./envelope.ts";
import { generateKey, keyRing, type SigningKey } from "./key.ts";
import { successorsOf } from "./succession.ts";

const schema = z.strictObject({ iss: z.string(), newJwk: z.record(z.string(), z.string()) });
const said = { typ: "sublet-server-key" as const, schema, iss: "server-1" };
const letIn = (by: SigningKey, next: SigningKey, iss = said.iss) =>
  sign("sublet-server-key", { iss, newJwk: { ...next.publicJwk } }, by);
const keys = Array.from({ length: 5 }, generateKey) as [SigningKey, ...SigningKey[]];
const [first, second, third] = keys as [SigningKey, SigningKey, SigningKey];
const known = keyRing([first.publicJwk]);
const kids = (statements: readonly string[]) =>
  successorsOf(known, statements, said).map(({ kid }) => kid);

test("a chain of successors is followed to its end, in whatever order it is told", () => {
  const chain = keys.slice(1).map((key, index) => letIn(keys[index] ?? first, key));
  fc.assert(
    fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (statements) => {
      expect(kids(statements)).toEqual(keys.slice(1).map(({ kid }) => kid));
    }),
  );
  expect(kids(chain.slice(1))).toEqual([]);
});

test("nobody lets a key in but a key that is trusted, in that name, by that kind of statement", () => {
  const stranger = generateKey();
  const wrongKind = sign("sublet-bill", { iss: said.iss, newJwk: { ...second.publicJwk } }, first);
  const noKey = sign("sublet-server-key", { iss: said.iss, newJwk: { kty: "RSA" } }, first);
  const own = letIn(stranger, second);
  const altered = letIn(first, second).replace(/.{8}$/, "AAAAAAAA");
  expect(kids([own, letIn(first, second, "server-2"), wrongKind, noKey, altered, "x"])).toEqual([]);
  expect(kids([letIn(second, third), letIn(first, second), letIn(first, second)])).toEqual([
    second.kid,
    third.kid,
  ]);
});
