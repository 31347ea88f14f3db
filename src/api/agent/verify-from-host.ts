import type { Kysely } from "kysely";
import type { z } from "zod";
import type { DB } from "../../database/types.ts";
import { readOwnGrant } from "../../enablement/grant.ts";
import { findHostKey } from "../../host/key-store.ts";
import type { Host } from "../../host/store.ts";
import type { Lease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { verify } from "../../signature/envelope.ts";
import { importPublicKey, keyRing, type PublicJwk } from "../../signature/key.ts";
import type { SignedType } from "../../signature/type.ts";

/**
 * What this host signed about a lease, or the refusal `signature-refused`. Only the key that the
 * lease's grant names counts, also when a later one has taken its place; without a grant it is the
 * host's present one.
 */
export async function verifyFromHost<T>(
  db: Kysely<DB>,
  { host, lease }: { host: Host; lease: Pick<Lease, "grantJws"> },
  signed: { typ: SignedType; jws: string; schema: z.ZodType<T> },
): Promise<T> {
  const key = await keyOf(db, host, lease);
  const verified = verify({ ...signed, keys: keyRing(key === null ? [] : [key]) });
  if (verified.ok) return verified.payload;
  throw refusal("signature-refused", { code: verified.code, message: verified.message });
}

async function keyOf(
  db: Kysely<DB>,
  host: Host,
  { grantJws }: Pick<Lease, "grantJws">,
): Promise<PublicJwk | null> {
  if (grantJws === null) return host.agentPublicJwk && importPublicKey(host.agentPublicJwk);
  const key = await findHostKey(db, readOwnGrant(grantJws).agentKeyThumbprint);
  return key?.hostId === host.hostId ? key.jwk : null;
}
