import { createHash } from "node:crypto";

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * One text for one value: keys sorted, no spaces, integers only (RFC 8785 for the values that we
 * sign and hash, which hold no fractions; larger numbers travel as strings).
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return canonicalText(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not a safe integer`);
    return String(value);
  }
  // `Array.from` visits holes, which have no canonical form; `map` would skip them.
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(",")}]`;
  if (isPlainObject(value)) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${canonicalText(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  throw new TypeError(`${kindOf(value)} has no canonical form`);
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** RFC 8785 refuses lone surrogates: they have no bytes in UTF-8. */
function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate has no canonical form");
  return JSON.stringify(text);
}

/** A `Date` or `Map` would silently become `{}`, and two different ones the same text. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `a ${value.constructor.name}`
    : `a ${typeof value}`;
}
