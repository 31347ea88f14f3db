import { transaction } from "../../database/transaction.ts";
import { insertHostKey } from "../../host/key-store.ts";
import {
  enrolHost as enrol,
  getHost,
  insertHostEvent,
  redeemEnrolmentToken,
  updateCapacity,
} from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { importPublicKey, KeyError } from "../../signature/key.ts";
import type { Handler } from "../handler.ts";

export const enrolHost: Handler<"enrolHost"> = async (context, { body }) => {
  const now = context.clock.now();
  const publicJwk = readKey(body.publicJwk);
  const host = await transaction(context.db, async (tx) => {
    const hostId = await redeemEnrolmentToken(tx, {
      secret: body.secret,
      thumbprint: publicJwk.kid,
      now,
    });
    await enrol(tx, { hostId, publicJwk, now });
    if (!(await insertHostKey(tx, { hostId, jwk: publicJwk, now }))) {
      const message = "this agent's key is another host's; start it on a --data folder of its own";
      throw refusal("invalid-input", { message });
    }
    await updateCapacity(tx, hostId, body.capacity);
    await insertHostEvent(tx, { hostId, kind: "enrolled", detail: { kid: publicJwk.kid }, now });
    return getHost(tx, hostId);
  });
  return {
    hostId: host.hostId,
    name: host.name,
    serverId: context.serverId,
    serverKeys: context.keys.all.map((key) => ({ ...key })),
    successionJws: [...context.keys.successionJws],
  };
};

function readKey(jwk: unknown) {
  try {
    return importPublicKey(jwk);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw refusal("invalid-input", { message: `${error.message}; send an Ed25519 public key` });
  }
}
