import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { z } from "zod";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import { decodeBase64urlStrictly } from "./base64url.ts";

/** Ed25519 keys as JWK (RFC 8037). The `kid` is always the RFC 7638 thumbprint. */
export type PublicJwk = {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
};
export type PrivateJwk = PublicJwk & { readonly d: string };

export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  /** Secret. */
  readonly privateJwk: PrivateJwk;
}

/** A JWK that is not an Ed25519 key as this product writes them; the message says why. */
export class KeyError extends Error {
  override name = "KeyError";
}

export function generateKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return importSigningKey(privateKey.export({ format: "jwk" }));
}

/** RFC 7638, SHA-256, base64url: of the members that make the key, in their one order. */
export function thumbprint(jwk: { readonly x: string }): string {
  const members = canonicalJson({ crv: "Ed25519", kty: "OKP", x: jwk.x });
  return Buffer.from(sha256Hex(members), "hex").toString("base64url");
}

/** Takes a stored private JWK. Throws `KeyError`, also when its halves do not belong together. */
export function importSigningKey(jwk: unknown): SigningKey {
  const publicJwk = importPublicKey(jwk);
  const { d } = checkShape(z.looseObject({ d: keyBytesText }), jwk);
  const privateJwk: PrivateJwk = { ...publicJwk, d };
  const probe = Buffer.from(publicJwk.kid);
  if (
    !verify(
      null,
      probe,
      publicKeyObject(publicJwk),
      sign(null, probe, privateKeyObject(privateJwk)),
    )
  ) {
    throw new KeyError("the private half of the key does not belong to its public half");
  }
  return { kid: publicJwk.kid, publicJwk, privateJwk };
}

/** Takes a public JWK, or the public half of a private one. Throws `KeyError`. */
export function importPublicKey(jwk: unknown): PublicJwk {
  const { x, kid } = checkShape(publicShape, jwk);
  const expectedKid = thumbprint({ x });
  if (kid !== undefined && kid !== expectedKid) {
    throw new KeyError(`the key's kid is "${kid}", but its thumbprint is "${expectedKid}"`);
  }
  return { kty: "OKP", crv: "Ed25519", x, kid: expectedKid };
}

/** The keys by which signatures are verified. */
export type KeyRing = ReadonlyMap<string, PublicJwk>;

export function keyRing(keys: Iterable<PublicJwk>): KeyRing {
  return new Map([...keys].map((key) => [key.kid, key]));
}

export function publicKeyObject(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: jwk, format: "jwk" });
}

export function privateKeyObject(jwk: PrivateJwk): KeyObject {
  return createPrivateKey({ key: jwk, format: "jwk" });
}

const KEY_BYTES = 32;
const keyBytesText = z
  .string()
  .refine((text) => decodeBase64urlStrictly(text)?.length === KEY_BYTES, {
    error: "expected 32 bytes in base64url",
  });
const publicShape = z.looseObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: keyBytesText,
  kid: z.string().optional(),
});

function checkShape<T>(schema: z.ZodType<T>, jwk: unknown): T {
  const parsed = schema.safeParse(jwk);
  if (parsed.success) return parsed.data;
  throw new KeyError(`not an Ed25519 key as JWK: ${z.prettifyError(parsed.error)}`);
}
