import type { DatabaseSync } from "node:sqlite";
import { serverKeySchema } from "../../enablement/server-key.ts";
import type { Log } from "../../process/log.ts";
import { type KeyRing, keyRing } from "../../signature/key.ts";
import { successorsOf } from "../../signature/succession.ts";
import { addServerKeys, type Joined } from "./store.ts";

/** Whose word the agent believes: the keys that it pinned when it joined, and their successors. */
export interface TrustedServer {
  /** Grows; what an earlier key has signed stays signed. */
  readonly keys: KeyRing;
  /** Follows the chain as far as it leads from a trusted key, stores it, then believes it. */
  learn(successionJws: readonly string[]): void;
}

/** Of an agent alone: no text of any server is believed. */
export const TRUSTS_NOBODY: TrustedServer = { keys: new Map(), learn: () => undefined };

export function trustServer(
  db: DatabaseSync,
  joined: Pick<Joined, "serverId" | "serverKeys">,
  log: Log,
): TrustedServer {
  const keys = new Map(keyRing(joined.serverKeys));
  const said = { typ: "sublet-server-key", schema: serverKeySchema, iss: joined.serverId } as const;
  return {
    keys,
    learn: (successionJws) => {
      const found = successorsOf(keys, successionJws, said);
      if (found.length === 0) return;
      addServerKeys(db, found);
      for (const key of found) {
        keys.set(key.kid, key);
        log.info({ kid: key.kid }, "the server has a new key, let in by the one before");
      }
    },
  };
}
