import { claimedPayload, verify } from "../../signature/envelope.ts";
import {
  importPublicKey,
  KeyError,
  type KeyRing,
  keyRing,
  type PublicJwk,
} from "../../signature/key.ts";
import { type ProviderCard, providerCardSchema } from "./card.ts";

/** A provider whose codes count on a host, as its owner has pinned it. */
export interface TrustedProvider {
  readonly providerId: ProviderCard["providerId"];
  readonly name: string;
  /** Only ever more: what an earlier key has signed stays signed. */
  readonly keys: readonly PublicJwk[];
}

export const TRUST_CODES = ["card-malformed", "provider-key-unknown", "card-refused"] as const;
export type TrustCode = (typeof TRUST_CODES)[number];
export type Trust =
  | {
      readonly ok: true;
      /** As it is to be pinned from now on. */
      readonly provider: TrustedProvider;
      /** Those that are not pinned yet; none: the card says what was known. */
      readonly newKids: readonly string[];
    }
  | { readonly ok: false; readonly code: TrustCode; readonly message: string };

/**
 * May this card be pinned? At the first use of a provider any card that one of its own keys has
 * signed: that it is the right one, its owner must know (by the thumbprints). Afterwards a card
 * adds keys only when a pinned key has signed it. Pure.
 */
export function decideTrust(
  cardJws: string,
  knownOf: (providerId: string) => TrustedProvider | null,
): Trust {
  const claimed = providerCardSchema.safeParse(claimedPayload(cardJws));
  const offered = claimed.success ? readKeys(claimed.data.keys) : null;
  if (!claimed.success || offered === null) {
    const message =
      "this is no provider's card, or not all of it; ask the provider for the file that it made with its card";
    return { ok: false, code: "card-malformed", message };
  }
  const known = knownOf(claimed.data.providerId);
  const ring: KeyRing = keyRing(known?.keys ?? offered);
  const verified = verify({
    ...{ jws: cardJws, typ: "sublet-provider-card" as const, keys: ring },
    schema: providerCardSchema,
  });
  if (!verified.ok && verified.code === "unknown-key") {
    const message =
      known === null
        ? "it is not signed by any of the keys that it names; do not trust it, and ask the provider"
        : `it is signed by a key that is not pinned for ${known.name}, so it may be somebody else's; ask the provider for a card signed by a key that it had before`;
    return { ok: false, code: "provider-key-unknown", message };
  }
  if (!verified.ok) {
    const message = `the card's signature was refused (${verified.code}): ${verified.message}; ask the provider for it again`;
    return { ok: false, code: "card-refused", message };
  }
  const { providerId, name } = verified.payload;
  const pinned = known?.keys ?? [];
  const added = offered.filter(({ kid }) => !pinned.some((key) => key.kid === kid));
  return {
    ok: true,
    provider: { providerId, name, keys: [...pinned, ...added] },
    newKids: added.map(({ kid }) => kid),
  };
}

function readKeys(jwks: readonly unknown[]): PublicJwk[] | null {
  try {
    return jwks.map(importPublicKey);
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}
