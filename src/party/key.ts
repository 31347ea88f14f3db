import { createHash, randomBytes } from "node:crypto";

/** 256 random bits: a plain hash of it needs no salt, and cannot be guessed from the hash. */
const SECRET_BYTES = 32;

export function newKey(): string {
  return `sublet_${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

/** What the database keeps of a key. */
export function keySha256(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
