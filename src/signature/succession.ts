import type { z } from "zod";
import { verify } from "./envelope.ts";
import { importPublicKey, KeyError, type KeyRing, type PublicJwk } from "./key.ts";
import type { SignedType } from "./type.ts";

/** What a statement of a new key says at least. */
interface Successor {
  /** Whose key it is. */
  readonly iss: string;
  readonly newJwk: Readonly<Record<string, string>>;
}

/**
 * The keys that those in `known` have let in, and those that these have let in, and so on, whatever
 * the order of the statements. A statement by any other key, or about another's key, counts for
 * nothing. Pure.
 */
export function successorsOf(
  known: KeyRing,
  statements: readonly string[],
  said: { readonly typ: SignedType; readonly schema: z.ZodType<Successor>; readonly iss: string },
): readonly PublicJwk[] {
  const { typ, schema, iss } = said;
  const keys = new Map(known);
  const found: PublicJwk[] = [];
  let left = statements;
  for (;;) {
    const unread: string[] = [];
    const before = found.length;
    for (const jws of left) {
      const verified = verify({ jws, typ, keys, schema });
      if (!verified.ok) {
        if (verified.code === "unknown-key") unread.push(jws);
        continue;
      }
      const key = verified.payload.iss === iss ? readKey(verified.payload.newJwk) : null;
      if (key === null || keys.has(key.kid)) continue;
      keys.set(key.kid, key);
      found.push(key);
    }
    if (found.length === before) return found;
    left = unread;
  }
}

function readKey(jwk: unknown): PublicJwk | null {
  try {
    return importPublicKey(jwk);
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}
