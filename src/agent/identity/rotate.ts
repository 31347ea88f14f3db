import type { KeyRotation } from "../../host/signed.ts";
import { sign } from "../../signature/envelope.ts";
import type { SigningKey } from "../../signature/key.ts";
import { instantNow, type JoinedContext } from "../context.ts";
import { listLeases } from "../lease/store.ts";
import { deleteOldKey, makeNextKey, readNextKey, turnKeys } from "./store.ts";

/**
 * A new key for the agent, in steps each of which may be the last before a crash and can be done
 * again: it is stored (`next`), the server is told by a statement of both keys, it takes over.
 * Leases that were granted under the old key go on under it; grants from then on name the new one.
 */
export function beginRotation(context: JoinedContext): SigningKey {
  const next = makeNextKey(context.db);
  context.keys.reload();
  return next;
}

/** Finishes what was begun; without a next key there is nothing to do. Throws when nobody answers. */
export async function rotateKeyOnce(context: JoinedContext): Promise<void> {
  const next = readNextKey(context.db);
  if (next === null) return;
  const rotation: KeyRotation = {
    iss: context.server.joined.hostId,
    aud: context.server.joined.serverId,
    issuedAt: instantNow(context),
    newJwk: { ...next.publicJwk },
  };
  await context.server.client.call("rotateHostKey", {
    body: {
      byOldKeyJws: sign("sublet-key-rotation", rotation, context.keys.current()),
      byNewKeyJws: sign("sublet-key-rotation", rotation, next),
    },
  });
  // Two may have asked at once: a loop, and a person at the socket.
  if (readNextKey(context.db)?.kid !== next.kid) return;
  turnKeys(context.db, next);
  context.keys.reload();
  context.log.info({ kid: next.kid }, "the agent has a new key");
}

/** Old keys among `kids` that no lease needs any more are gone for good. */
export function forgetOldKeys(context: JoinedContext, kids: readonly string[]): void {
  if (kids.length === 0) return;
  const { db, keys, log } = context;
  const needed = new Set(listLeases(db).map((lease) => keys.of(lease).kid));
  for (const kid of kids.filter((old) => !needed.has(old))) {
    deleteOldKey(db, kid);
    keys.reload();
    log.info({ kid }, "an old key is of no more use and is forgotten");
  }
}
