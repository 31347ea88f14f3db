import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Client } from "../../api/client/client.ts";
import { serverTimeSchema } from "../../host/signed.ts";
import { verify } from "../../signature/envelope.ts";
import type { KeyRing } from "../../signature/key.ts";
import type { Clock } from "../../unit/clock.ts";
import type { TrustedServer } from "../identity/server-keys.ts";
import type { Joined } from "../identity/store.ts";
import { type Anchor, readAnchor, writeAnchor } from "./store.ts";

/**
 * What time it is at the server: its signed word, carried on by the monotonic clock. The wall
 * clock of this computer is asked only when the server has not been heard since this boot.
 */
export interface ServerTime {
  nowMs(): number;
  /** False: `nowMs` is this computer's wall clock. */
  isAnchored(): boolean;
  /** Takes the server's signed time as the new anchor. Throws when it is not the server's. */
  anchor(client: Client, joined: Joined): Promise<void>;
}

export function createServerTime(
  db: DatabaseSync,
  clock: Clock,
  server: TrustedServer,
): ServerTime {
  const bootId = clock.bootId();
  let anchor = readAnchor(db);
  const isAnchored = () => anchor?.bootId === bootId;
  return {
    nowMs: () =>
      anchor !== null && isAnchored()
        ? serverNowMs(anchor, clock.monotonicNs())
        : clock.now().getTime(),
    isAnchored,
    async anchor(client, joined) {
      const nonce = randomBytes(24).toString("base64url");
      const sentNs = clock.monotonicNs();
      const { timeJws, successionJws } = await client.call("tellTime", { body: { nonce } });
      const answeredNs = clock.monotonicNs();
      // The first word of every visit: after a rotation it is by a key that is new here.
      server.learn(successionJws);
      const told = readSignedTime(timeJws, nonce, joined, server.keys);
      // The server looked at its clock somewhere between the two; the middle halves the error.
      const monotonicNs = (sentNs + answeredNs) / 2n;
      anchor = { bootId, monotonicNs, serverNowMs: told.getTime() };
      writeAnchor(db, anchor);
    },
  };
}

export function serverNowMs(anchor: Anchor, monotonicNs: bigint): number {
  return anchor.serverNowMs + Number((monotonicNs - anchor.monotonicNs) / 1_000_000n);
}

function readSignedTime(jws: string, nonce: string, joined: Joined, keys: KeyRing): Date {
  const verified = verify({ jws, typ: "sublet-time", keys, schema: serverTimeSchema });
  if (!verified.ok) throw new Error(`the server's time is not signed by it: ${verified.message}`);
  const { payload } = verified;
  if (payload.nonce !== nonce || payload.aud !== joined.hostId || payload.iss !== joined.serverId) {
    throw new Error("the server's time answers another question than this agent's");
  }
  return new Date(payload.now);
}
