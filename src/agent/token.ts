import { sign } from "../signature/envelope.ts";
import type { SigningKey } from "../signature/key.ts";
import type { Joined } from "./identity/store.ts";

/** Long enough for one slow request, short enough that a stolen one is soon worthless. */
const TOKEN_SECONDS = 60;
const RENEW_BEFORE_SECONDS = 30;

/** Gives the agent's bearer token, a new one whenever the last has less than half its time left. */
export function createTokens(key: SigningKey, joined: Joined, nowMs: () => number): () => string {
  let cached: { readonly jws: string; readonly iat: number } | null = null;
  return () => {
    const now = Math.floor(nowMs() / 1000);
    const age = cached === null ? Number.POSITIVE_INFINITY : now - cached.iat;
    // A negative age: the anchor was moved, and the server would find the token in its future.
    if (cached === null || age < 0 || age >= TOKEN_SECONDS - RENEW_BEFORE_SECONDS) {
      const claims = {
        iss: joined.hostId,
        aud: joined.serverId,
        iat: now,
        exp: now + TOKEN_SECONDS,
      };
      cached = { jws: sign("sublet-agent-token", claims, key), iat: now };
    }
    return cached.jws;
  };
}
