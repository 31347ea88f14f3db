import type { z } from "zod";
import type { Host } from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { verify } from "../../signature/envelope.ts";
import { importPublicKey, keyRing } from "../../signature/key.ts";
import type { SignedType } from "../../signature/type.ts";

/** What this host signed, or the refusal `signature-refused`. */
export function verifyFromHost<T>(
  host: Host,
  typ: SignedType,
  jws: string,
  schema: z.ZodType<T>,
): T {
  const keys = keyRing(host.agentPublicJwk ? [importPublicKey(host.agentPublicJwk)] : []);
  const verified = verify({ jws, typ, keys, schema });
  if (verified.ok) return verified.payload;
  throw refusal("signature-refused", { code: verified.code, message: verified.message });
}
