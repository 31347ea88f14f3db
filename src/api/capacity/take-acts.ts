import type { Kysely } from "kysely";
import { bringForward } from "../../billing/capacity/due-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import {
  type ActsBatch,
  type ActsReceipt,
  actsBatchSchema,
} from "../../enablement/capacity/act.ts";
import {
  findActsBatch,
  insertActs,
  listHeads,
  readActs,
  readContiguousAct,
} from "../../enablement/capacity/act-store.ts";
import { ensureProviderKeys } from "../../enablement/capacity/provider-key-store.ts";
import { setBackBy } from "../../enablement/capacity/set-back.ts";
import { decideActs, neighbouringActs } from "../../enablement/capacity/take-acts.ts";
import { insertHostEventOnce, lockHost } from "../../host/store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import type { HostId, PartyId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import { openHostText } from "./open-host-text.ts";

/**
 * Takes a batch of acts, exactly once, in whatever order batches come, and gives the provider's
 * receipt. A head that does not fit the heads before shows that the host was set back: its owner
 * and its providers see it, and its use goes on being taken.
 */
export async function takeActs(
  context: ServerContext,
  from: { readonly hostId: HostId; readonly providerId: PartyId },
  actsJws: string,
): Promise<string> {
  const now = context.clock.now();
  const { hostId, providerId } = from;
  const text = { jws: actsJws, typ: "sublet-acts", schema: actsBatchSchema } as const;
  const batch = await openHostText(context.db.kysely, hostId, text);
  try {
    return await transaction(context.db, async (tx) => {
      await lockHost(tx, hostId);
      await store(tx, batch, actsJws, now);
      const receipt: ActsReceipt = {
        ...{ iss: providerId, aud: hostId, batchId: batch.batchId },
        contiguousSeq: await readContiguousAct(tx, hostId),
        receivedAt: now.toISOString(),
      };
      const keys = await ensureProviderKeys(tx, providerId, now);
      return sign("sublet-acts-receipt", receipt, keys.current);
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    await flag(context, batch, error, now);
    throw error;
  }
}

async function store(tx: Kysely<DB>, batch: ActsBatch, jws: string, now: Date): Promise<void> {
  const { batchId, hostId, head } = batch;
  const before = await findActsBatch(tx, batchId);
  if (before === jws) return;
  if (before !== undefined) throw refusal("cause-reused", { cause: batchId });
  const stored = await readActs(tx, hostId, neighbouringActs(batch));
  const present = { seq: head.seq, hash: head.hash, atMs: Date.parse(head.at) };
  await flagSetBack(tx, hostId, { ...present, runNs: BigInt(head.runNs) }, stored, now);
  const decision = decideActs(batch, stored);
  if (!decision.ok) {
    const { seq } = decision;
    throw decision.code === "conflict"
      ? refusal("act-conflict", { host: hostId, seq })
      : refusal("act-refused", { host: hostId, seq, message: decision.message });
  }
  await insertActs(tx, { batch, jws, acts: decision.fresh, now });
  await bringForward(tx, { hostId, providerPartyId: null }, now);
}

async function flagSetBack(
  tx: Kysely<DB>,
  hostId: HostId,
  head: Parameters<typeof setBackBy>[0],
  stored: Awaited<ReturnType<typeof readActs>>,
  now: Date,
): Promise<void> {
  const heads = await listHeads(tx, hostId);
  const same = stored.get(head.seq);
  if (same) heads.push({ ...head, hash: same.hash });
  const reason = heads.map((one) => setBackBy(one, head)).find((one) => one !== null);
  if (reason === undefined) return;
  await insertHostEventOnce(tx, { hostId, kind: "state-set-back", detail: { reason }, now });
}

/** Other content under an old number is what a set-back host sends, too. */
async function flag(
  { db, log }: Pick<ServerContext, "db" | "log">,
  { hostId, batchId }: ActsBatch,
  error: Refusal,
  now: Date,
): Promise<void> {
  const detail = { batchId, code: error.code, message: error.message };
  log.error({ hostId, ...detail }, "refused a batch of acts");
  await insertHostEventOnce(db.kysely, { hostId, kind: "acts-refused", detail, now });
  if (error.code !== "act-conflict") return;
  const reason = error.message;
  await insertHostEventOnce(db.kysely, { hostId, kind: "state-set-back", detail: { reason }, now });
}
