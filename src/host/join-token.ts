import { randomBytes } from "node:crypto";
import { z } from "zod";

/** How long a lender has to walk to the other machine. */
export const JOIN_TOKEN_HOURS = 24;
const PREFIX = "sublet-join.";
const SECRET_BYTES = 32;

/** What an agent needs to join: where, its one-time secret, and which server key to trust. */
export const joinTokenSchema = z.strictObject({
  v: z.literal(1),
  url: z.url(),
  secret: z.string(),
  serverId: z.string(),
  /** RFC 7638 thumbprint of the server's signing key: pinned before anything is believed. */
  serverKid: z.string(),
});
export type JoinToken = z.infer<typeof joinTokenSchema>;

export function newJoinSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

export function writeJoinToken(token: JoinToken): string {
  return PREFIX + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** Undefined for what is no join token. */
export function readJoinToken(text: string): JoinToken | undefined {
  const trimmed = text.replace(/\s+/g, "");
  if (!trimmed.startsWith(PREFIX)) return undefined;
  try {
    const decoded = Buffer.from(trimmed.slice(PREFIX.length), "base64url").toString("utf8");
    return joinTokenSchema.safeParse(JSON.parse(decoded)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
