import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import {
  type Act,
  type ActDetail,
  actOrigin,
  actSchema,
  type HashedAct,
  hashAct,
} from "../../enablement/capacity/act.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { HostId } from "../../unit/id.ts";
import type { CapacityNow } from "./clock-store.ts";

/** Adds what was done to the ledger, in the caller's transaction. */
export function writeAct(
  db: DatabaseSync,
  hostId: HostId,
  now: CapacityNow,
  detail: ActDetail,
): Act {
  const head = actHead(db, hostId);
  const act: Act = {
    version: 1,
    hostId,
    seq: head.seq + 1,
    previousHash: head.hash,
    at: now.at,
    bootId: now.bootId,
    monotonicNs: now.monotonicNs.toString(),
    runNs: now.runNs.toString(),
    act: detail,
  };
  db.prepare("INSERT INTO capacity_act (seq, hash, act) VALUES (?, ?, ?)").run(
    act.seq,
    hashAct(act),
    canonicalJson(act),
  );
  return act;
}

/** The number and hash of the last act; 0 and the ledger's origin when there is none. */
export function actHead(
  db: DatabaseSync,
  hostId: HostId,
): { readonly seq: number; readonly hash: string } {
  const row = db.prepare("SELECT seq, hash FROM capacity_act ORDER BY seq DESC LIMIT 1").get();
  if (row === undefined) return { seq: 0, hash: actOrigin(hostId) };
  return headRow.parse({ ...row });
}

/** From a number on, in order. */
export function listActs(db: DatabaseSync, fromSeq: number, limit: number): readonly HashedAct[] {
  return db
    .prepare("SELECT hash, act FROM capacity_act WHERE seq >= ? ORDER BY seq LIMIT ?")
    .all(fromSeq, limit)
    .map((row) => actRow.parse({ ...row }))
    .map(({ hash, act }) => ({ record: actSchema.parse(JSON.parse(act)), hash }));
}

const headRow = z.object({ seq: z.number(), hash: z.string() });
const actRow = z.object({ hash: z.string(), act: z.string() });
