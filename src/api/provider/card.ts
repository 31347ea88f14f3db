import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import type { ProviderCard } from "../../enablement/capacity/card.ts";
import { ensureProviderKeys } from "../../enablement/capacity/provider-key-store.ts";
import type { Party } from "../../party/store.ts";
import { sign } from "../../signature/envelope.ts";

/** The provider's card, signed with its present key; its first key is made where it has none. */
export async function signedCard(
  tx: Kysely<DB>,
  { partyId, name }: Pick<Party, "partyId" | "name">,
  now: Date,
): Promise<{ readonly cardJws: string; readonly kids: string[] }> {
  const { current, all } = await ensureProviderKeys(tx, partyId, now);
  const card: ProviderCard = {
    providerId: partyId,
    name,
    keys: all.map((jwk) => ({ ...jwk })),
    issuedAt: now.toISOString(),
  };
  const cardJws = sign("sublet-provider-card", card, current);
  return { cardJws, kids: all.map(({ kid }) => kid) };
}
