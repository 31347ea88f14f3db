import { createHmac, randomBytes } from "node:crypto";

/** The specification wants 24 to 64. */
const SECRET_BYTES = 32;

export function newSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** As people copy it: https://github.com/standard-webhooks/standard-webhooks. */
export function formatSecret(secret: Buffer): string {
  return `whsec_${secret.toString("base64")}`;
}

/** The `webhook-signature` header: one signature by each secret, of which one is enough. */
export function signWebhook(
  message: { readonly id: string; readonly timestampSeconds: number; readonly body: string },
  secrets: readonly Buffer[],
): string {
  const content = `${message.id}.${message.timestampSeconds}.${message.body}`;
  return secrets
    .map((secret) => `v1,${createHmac("sha256", secret).update(content).digest("base64")}`)
    .join(" ");
}
