import { transaction } from "../../database/transaction.ts";
import { type HostCard, hostCardSchema } from "../../enablement/capacity/card.ts";
import { confirmHost, registerHost as register } from "../../host/registered-store.ts";
import { getHost, insertHostEvent } from "../../host/store.ts";
import { getParty } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { claimedPayload, unwrapPasted, verify } from "../../signature/envelope.ts";
import { importPublicKey, KeyError, keyRing } from "../../signature/key.ts";
import type { Handler } from "../handler.ts";
import { viewCapacityHost } from "./view.ts";

/**
 * A host without a network is known by its card. That its key belongs to the customer's computer is
 * the provider's own knowledge: whoever handed it the card. That the customer is to be billed for it
 * is the customer's to say: until then no code is issued for it.
 */
export const registerHost: Handler<"registerHost"> = async (context, { caller, body }) => {
  const now = context.clock.now();
  const cardJws = unwrapPasted(body.cardJws);
  const card = readCard(cardJws);
  const customer = await getParty(context.db.kysely, body.customer);
  const host = await transaction(context.db, async (tx) => {
    const jwk = importPublicKey(card.agentJwk);
    const { host: made, isNew } = await register(tx, {
      ...{ hostId: card.hostId, name: card.name, jwk, cardJws, now },
      ownerPartyId: customer.partyId,
      sizes: card,
    });
    const detail = { kid: jwk.kid, customer: customer.name, provider: caller.name };
    if (isNew) await insertHostEvent(tx, { hostId: card.hostId, kind: "registered", detail, now });
    const { partyId } = caller;
    if (partyId !== customer.partyId) return made;
    await confirmHost(tx, made.hostId, { partyId, now });
    return getHost(tx, made.hostId);
  });
  return viewCapacityHost(host, customer.name);
};

/** Signed with the very key that it names: whoever made it has that key. */
function readCard(jws: string): HostCard {
  const claimed = hostCardSchema.safeParse(claimedPayload(jws));
  if (!claimed.success) {
    const message = "this is no host card, or not all of it; make one with `sublet capacity card`";
    throw refusal("invalid-input", { message });
  }
  try {
    const keys = keyRing([importPublicKey(claimed.data.agentJwk)]);
    const verified = verify({ jws, typ: "sublet-host-card", keys, schema: hostCardSchema });
    if (verified.ok) return verified.payload;
    throw refusal("signature-refused", { code: verified.code, message: verified.message });
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw refusal("invalid-input", { message: `${error.message}; make the card anew` });
  }
}
