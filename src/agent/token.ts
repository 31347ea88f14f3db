import { sign } from "../signature/envelope.ts";
import type { SigningKey } from "../signature/key.ts";
import type { Joined } from "./identity/store.ts";

/** Long enough for one slow request, short enough that a stolen one is soon worthless. */
const TOKEN_SECONDS = 60;
const RENEW_BEFORE_SECONDS = 30;

/** Gives the agent's bearer token; a new one for a new key, or when half the last one's time is over. */
export function createTokens(
  current: () => SigningKey,
  joined: Joined,
  nowMs: () => number,
): () => string {
  let cached: { readonly jws: string; readonly iat: number; readonly kid: string } | null = null;
  return () => {
    const key = current();
    const now = Math.floor(nowMs() / 1000);
    const age = cached === null ? Number.POSITIVE_INFINITY : now - cached.iat;
    // A negative age: the anchor was moved, and the server would find the token in its future.
    const isOld = age < 0 || age >= TOKEN_SECONDS - RENEW_BEFORE_SECONDS;
    if (cached === null || isOld || cached.kid !== key.kid) {
      const claims = {
        iss: joined.hostId,
        aud: joined.serverId,
        iat: now,
        exp: now + TOKEN_SECONDS,
      };
      cached = { jws: sign("sublet-agent-token", claims, key), iat: now, kid: key.kid };
    }
    return cached.jws;
  };
}
