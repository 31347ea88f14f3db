import { expect, test } from "vitest";
import { generateKey, importPublicKey, importSigningKey, KeyError, thumbprint } from "./key.ts";

const key = generateKey();
const other = generateKey();

test("the thumbprint is that of RFC 8037, appendix A.3", () => {
  expect(thumbprint({ x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })).toBe(
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
  );
});

test("a generated key survives storing, and its kid is its thumbprint", () => {
  expect(importSigningKey(JSON.parse(JSON.stringify(key.privateJwk)))).toEqual(key);
  expect(key.kid).toBe(thumbprint(key.publicJwk));
  expect(key.kid).not.toBe(other.kid);
});

test("the public half holds no secret", () => {
  expect(Object.keys(key.publicJwk).sort()).toEqual(["crv", "kid", "kty", "x"]);
  expect(importPublicKey(key.privateJwk)).toEqual(key.publicJwk);
});

test("a key without kid is given its own", () => {
  const { kid, ...bare } = key.publicJwk;
  expect(importPublicKey(bare).kid).toBe(kid);
});

const { x } = key.publicJwk;
test.each<[string, unknown]>([
  ["nothing", undefined],
  ["a text", "key"],
  ["another key type", { ...key.publicJwk, kty: "EC" }],
  ["another curve", { ...key.publicJwk, crv: "X25519" }],
  ["no x", { kty: "OKP", crv: "Ed25519" }],
  ["31 bytes", { kty: "OKP", crv: "Ed25519", x: Buffer.alloc(31).toString("base64url") }],
  ["33 bytes", { kty: "OKP", crv: "Ed25519", x: Buffer.alloc(33).toString("base64url") }],
  ["padding", { kty: "OKP", crv: "Ed25519", x: `${x}=` }],
  [
    "spare bits set",
    { kty: "OKP", crv: "Ed25519", x: `${Buffer.alloc(32).toString("base64url").slice(0, -1)}B` },
  ],
  ["the kid of another key", { ...key.publicJwk, kid: other.kid }],
])("%s is not a public key", (_name, jwk) => {
  expect(() => importPublicKey(jwk)).toThrow(KeyError);
});

test.each<[string, unknown]>([
  ["a public key", key.publicJwk],
  ["the private half of another key", { ...key.privateJwk, d: other.privateJwk.d }],
  ["a private half cut short", { ...key.privateJwk, d: key.privateJwk.d.slice(1) }],
])("%s cannot sign", (_name, jwk) => {
  expect(() => importSigningKey(jwk)).toThrow(KeyError);
});
