import type { DatabaseSync } from "node:sqlite";
import { type KeyRing, keyRing, type SigningKey } from "../../signature/key.ts";
import { ownKey, readOtherKeys } from "./store.ts";

/** The lease as far as it says under which key it was granted. */
interface Granted {
  readonly grantJws: string | null;
  readonly granted: { readonly agentKeyThumbprint: string } | null;
}

/** The agent's keys: the present one, the next, and old ones that leases still need. */
export interface AgentKeys {
  /** Signs tokens, and what belongs to no granted lease. */
  current(): SigningKey;
  /** Null: this agent has not, or no longer, a key of that thumbprint. */
  held(kid: string): SigningKey | null;
  /** All of them, for what this agent has signed for itself. */
  ring(): KeyRing;
  /** The key that a lease's grant names; it signs all that is said of that lease. */
  of(lease: Granted | null): SigningKey;
  /** After a change of what is stored. */
  reload(): void;
}

export function createAgentKeys(db: DatabaseSync): AgentKeys {
  const read = () => {
    const current = ownKey(db);
    const all = [current, ...readOtherKeys(db, "next"), ...readOtherKeys(db, "old")];
    return { current, byKid: new Map(all.map((key) => [key.kid, key])) };
  };
  let keys = read();
  return {
    current: () => keys.current,
    ring: () => keyRing([...keys.byKid.values()].map(({ publicJwk }) => publicJwk)),
    held: (kid) => keys.byKid.get(kid) ?? null,
    of: (lease) => {
      const kid = lease?.granted?.agentKeyThumbprint ?? claimedKey(lease?.grantJws ?? null);
      return (kid === null ? undefined : keys.byKid.get(kid)) ?? keys.current;
    },
    reload: () => {
      keys = read();
    },
  };
}

/** Of a grant that was refused: its end is told under the key that it names, as the server expects. */
function claimedKey(grantJws: string | null): string | null {
  if (grantJws === null) return null;
  try {
    const text = Buffer.from(grantJws.split(".")[1] ?? "", "base64url").toString();
    const kid = (JSON.parse(text) as { agentKeyThumbprint?: unknown } | null)?.agentKeyThumbprint;
    return typeof kid === "string" ? kid : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
