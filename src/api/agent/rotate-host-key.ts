import { transaction } from "../../database/transaction.ts";
import { findHostKey, replaceHostKey } from "../../host/key-store.ts";
import { keyRotationSchema } from "../../host/signed.ts";
import { insertHostEvent, lockHost } from "../../host/store.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { claimedKid, verify } from "../../signature/envelope.ts";
import { importPublicKey, KeyError, keyRing, type PublicJwk } from "../../signature/key.ts";
import type { Handler } from "../handler.ts";

/**
 * The same statement, signed by the old key and by the new, lets the new one take its place. Who
 * asks is shown by the signatures, not by a token, so that an agent whose answer was lost may
 * repeat it: then the new key has been let in already, and the old no longer is.
 */
export const rotateHostKey: Handler<"rotateHostKey"> = async (context, { body }) => {
  const now = context.clock.now();
  const known = await findHostKey(context.db.kysely, claimedKid(body.byOldKeyJws) ?? "");
  if (!known) throw refuse("unknown-key", "no host has that key");
  const rotation = open(body.byOldKeyJws, known.jwk);
  const newKey = readKey(rotation.newJwk);
  const again = open(body.byNewKeyJws, newKey);
  const isSame =
    again.newJwk.x === rotation.newJwk.x &&
    again.iss === rotation.iss &&
    again.issuedAt === rotation.issuedAt;
  if (!isSame || rotation.iss !== known.hostId || rotation.aud !== context.serverId) {
    throw refuse("bad-payload", "the two statements are not one, or for another server or host");
  }
  const { hostId } = known;
  await transaction(context.db, async (tx) => {
    const host = await lockHost(tx, hostId);
    if (host.removedAt) throw refusal("host-removed", { host: host.name });
    const current = host.agentPublicJwk?.x;
    if (current === newKey.x) return;
    if (current !== known.jwk.x) throw refusal("agent-key-retired", { host: host.name });
    if (await findHostKey(tx, newKey.kid)) throw refuse("bad-payload", "the new key is a used one");
    const rotationJws = body.byOldKeyJws;
    await replaceHostKey(tx, { hostId, jwk: newKey, rotationJws, now });
    const detail = { oldKid: known.jwk.kid, newKid: newKey.kid };
    await insertHostEvent(tx, { hostId, kind: "key-rotated", detail, now });
  });
  return { hostId, kid: newKey.kid };
};

function open(jws: string, key: PublicJwk) {
  const keys = keyRing([key]);
  const schema = keyRotationSchema;
  const verified = verify({ jws, typ: "sublet-key-rotation", keys, schema });
  if (verified.ok) return verified.payload;
  throw refuse(verified.code, verified.message);
}

function readKey(jwk: unknown): PublicJwk {
  try {
    return importPublicKey(jwk);
  } catch (error) {
    if (error instanceof KeyError) throw refuse("bad-payload", error.message);
    throw error;
  }
}

function refuse(code: string, message: string): Refusal {
  return refusal("signature-refused", { code, message });
}
