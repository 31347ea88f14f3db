import type { Kysely } from "kysely";
import type { z } from "zod";
import type { DB } from "../../database/types.ts";
import { findHostKey } from "../../host/key-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { claimedKid, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import type { SignedType } from "../../signature/type.ts";
import type { HostId } from "../../unit/id.ts";

/** What an agent has signed with a key that its host has or had, enrolled or registered. */
export async function openHostText<T extends { readonly hostId: string }>(
  db: Kysely<DB>,
  hostId: HostId,
  text: { readonly jws: string; readonly typ: SignedType; readonly schema: z.ZodType<T> },
): Promise<T> {
  const key = await findHostKey(db, claimedKid(text.jws) ?? "");
  const verified = verify({ ...text, keys: keyRing(key?.hostId === hostId ? [key.jwk] : []) });
  if (!verified.ok) {
    throw refusal("signature-refused", { code: verified.code, message: verified.message });
  }
  if (verified.payload.hostId === hostId) return verified.payload;
  throw refusal("signature-refused", {
    code: "other-host",
    message: "it names another host",
  });
}
