import { sign as signBytes, verify as verifyBytes } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "../unit/canonical.ts";
import { decodeBase64urlStrictly } from "./base64url.ts";
import { type KeyRing, privateKeyObject, publicKeyObject, type SigningKey } from "./key.ts";
import type { SignedType } from "./type.ts";

/**
 * The one envelope for everything signed: a compact JWS (RFC 7515) with `alg` fixed to EdDSA over
 * Ed25519 (RFC 8037), a header of exactly `alg`, `kid` and `typ`, and canonical JSON in both parts.
 * There is one text for one signed statement: whatever differs in a single character is refused.
 */
export function sign(typ: SignedType, payload: unknown, key: SigningKey): string {
  const header = canonicalJson({ alg: "EdDSA", kid: key.kid, typ });
  const signed = `${encode(header)}.${encode(canonicalJson(payload))}`;
  const signature = signBytes(null, Buffer.from(signed), privateKeyObject(key.privateJwk));
  return `${signed}.${signature.toString("base64url")}`;
}

/** In the order in which they are looked for. */
export const VERIFY_CODES = [
  "malformed",
  "not-canonical",
  "wrong-type",
  "wrong-algorithm",
  "unknown-key",
  "bad-signature",
  "bad-payload",
] as const;
export type VerifyCode = (typeof VERIFY_CODES)[number];
export interface VerifyRefusal {
  readonly ok: false;
  readonly code: VerifyCode;
  readonly message: string;
}
export type Verified<T> =
  | { readonly ok: true; readonly payload: T; readonly kid: string }
  | VerifyRefusal;

export interface VerifyInput<T> {
  readonly jws: string;
  readonly typ: SignedType;
  /** Whose signature counts, by kid. */
  readonly keys: KeyRing;
  readonly schema: z.ZodType<T>;
}

export function verify<T>({ jws, typ, keys, schema }: VerifyInput<T>): Verified<T> {
  const opened = open(jws);
  if (!opened.ok) return opened;
  const { header, parts, bytes } = opened;
  if (header.typ !== typ) {
    return refuse("wrong-type", `expected a ${typ}, but this is a ${shown(header.typ)}`);
  }
  if (header.alg !== "EdDSA") {
    return refuse("wrong-algorithm", `signed by ${shown(header.alg)}, but only EdDSA is accepted`);
  }
  const strict = headerSchema.safeParse(header);
  if (!strict.success) {
    return refuse("malformed", `the header does not hold alg, kid and typ alone`);
  }
  if (!isCanonical(strict.data, parts[0])) {
    return refuse("not-canonical", "the header is not canonical JSON");
  }
  const key = keys.get(strict.data.kid);
  if (key === undefined) {
    return refuse("unknown-key", `signed by the key ${strict.data.kid}, which is not trusted here`);
  }
  const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
  if (!verifyBytes(null, signed, publicKeyObject(key), bytes[2])) {
    return refuse("bad-signature", "the signature does not fit: the text was altered");
  }
  const payload = readPayload(schema, parts[1], bytes[1]);
  return payload.ok ? { ...payload, kid: strict.data.kid } : payload;
}

/** The kid in the header, to look the key up by. Nothing is verified yet. Null: not an envelope. */
export function claimedKid(jws: string): string | null {
  const opened = open(jws);
  return opened.ok && typeof opened.header.kid === "string" ? opened.header.kid : null;
}

/** The payload before anything is verified, to find the key in it. Undefined: not an envelope. */
export function claimedPayload(jws: string): unknown {
  const opened = open(jws);
  return opened.ok ? parseJson(opened.bytes[1]) : undefined;
}

/** Removes the line breaks and white space that pasting adds. `verify` itself never does. */
export function unwrapPasted(text: string): string {
  return text.replace(/\s+/g, "");
}

/** Above the largest batch of records; nothing longer is worth decoding. */
const JWS_CHARACTERS_MAX = 4_000_000;
const SIGNATURE_BYTES = 64;
const SIGNATURE_CHARACTERS = 86;
const PART_NAMES = ["header", "payload", "signature"] as const;
const headerSchema = z.strictObject({
  alg: z.literal("EdDSA"),
  kid: z.string(),
  typ: z.string(),
});

type Triple<T> = readonly [T, T, T];
type Opened =
  | {
      readonly ok: true;
      readonly header: { readonly [name: string]: unknown };
      readonly parts: Triple<string>;
      readonly bytes: Triple<Buffer>;
    }
  | VerifyRefusal;

function open(jws: string): Opened {
  if (jws.length > JWS_CHARACTERS_MAX) return refuse("malformed", "the text is too long");
  const parts = jws.split(".");
  if (!isTriple(parts)) {
    return refuse("malformed", `expected three parts joined by points, found ${parts.length}`);
  }
  const empty = parts.indexOf("");
  if (empty >= 0) return refuse("malformed", `the ${PART_NAMES[empty]} is empty`);
  if (parts[2].length < SIGNATURE_CHARACTERS) {
    const found = `${parts[2].length} characters, not ${SIGNATURE_CHARACTERS}`;
    return refuse("malformed", `the signature has ${found}: was the text cut off?`);
  }
  const bytes: Buffer[] = [];
  for (const [index, part] of parts.entries()) {
    const decoded = decodeBase64urlStrictly(part);
    if (decoded === null) {
      return refuse("not-canonical", `the ${PART_NAMES[index]} is not exact base64url`);
    }
    bytes.push(decoded);
  }
  if (!isTriple(bytes)) throw new Error("three parts have three decodings");
  if (bytes[2].length !== SIGNATURE_BYTES) {
    return refuse(
      "malformed",
      `the signature has ${bytes[2].length} bytes, not ${SIGNATURE_BYTES}`,
    );
  }
  const header = parseJson(bytes[0]);
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    return refuse("malformed", "the header is not a JSON object");
  }
  return { ok: true, header: { ...header }, parts, bytes };
}

type Payload<T> = { readonly ok: true; readonly payload: T } | VerifyRefusal;

/** The schema goes first: it bounds the depth that `canonicalJson` then walks. */
function readPayload<T>(schema: z.ZodType<T>, part: string, bytes: Buffer): Payload<T> {
  const value = parseJson(bytes);
  if (value === undefined) return refuse("bad-payload", "the payload is not JSON");
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    return refuse("bad-payload", `the payload does not fit: ${z.prettifyError(parsed.error)}`);
  }
  if (!isCanonical(value, part)) {
    return refuse("bad-payload", "the payload is not canonical JSON");
  }
  return { ok: true, payload: parsed.data };
}

/** Undefined, which no JSON means, when the bytes are not JSON. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether this part is what `value` is written as. Some values, such as fractions, never are. */
function isCanonical(value: unknown, part: string): boolean {
  try {
    return encode(canonicalJson(value)) === part;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64url");
}

/** A word of an unverified header, safe to print. */
function shown(word: unknown): string {
  return typeof word === "string" && /^[\w-]{1,40}$/.test(word) ? word : "something unknown";
}

function isTriple<T>(list: readonly T[]): list is Triple<T> {
  return list.length === 3;
}

function refuse(code: VerifyCode, message: string): VerifyRefusal {
  return { ok: false, code, message };
}
