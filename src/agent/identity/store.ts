import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { inTransaction } from "../../meter/transaction.ts";
import {
  generateKey,
  importPublicKey,
  importSigningKey,
  type PublicJwk,
  type SigningKey,
} from "../../signature/key.ts";
import type { HostId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";
import type { LentBefore } from "../config.ts";

/** What this host is called, by its server or by its owner. */
export interface HostName {
  readonly hostId: HostId;
  readonly hostName: string;
}

/** Whom this agent works for. */
export interface Joined extends HostName {
  readonly serverId: string;
  readonly serverUrl: string;
  /** Pinned when the host joined, and those that they have let in since. */
  readonly serverKeys: readonly PublicJwk[];
}

/** The agent's own key, made and stored at the first call: before anybody hears of it. */
export function ownKey(db: DatabaseSync): SigningKey {
  const stored = readRow(db);
  if (stored !== null) return importSigningKey(JSON.parse(stored.private_jwk));
  const key = generateKey();
  db.prepare("INSERT INTO identity (one, private_jwk) VALUES (1, ?)").run(
    JSON.stringify(key.privateJwk),
  );
  return key;
}

/** The key that takes over when the server has heard of it. Made once; the same until then. */
export function makeNextKey(db: DatabaseSync): SigningKey {
  const before = readNextKey(db);
  if (before !== null) return before;
  const key = generateKey();
  db.prepare("INSERT INTO other_key (kid, private_jwk, role) VALUES (?, ?, 'next')").run(
    key.kid,
    JSON.stringify(key.privateJwk),
  );
  return key;
}

export function readNextKey(db: DatabaseSync): SigningKey | null {
  return readOtherKeys(db, "next")[0] ?? null;
}

export function readOtherKeys(db: DatabaseSync, role: "next" | "old"): SigningKey[] {
  return db
    .prepare("SELECT private_jwk FROM other_key WHERE role = ? ORDER BY kid")
    .all(role)
    .map((row) => importSigningKey(JSON.parse(otherRow.parse(row).private_jwk)));
}

/** The server has let the new key in: it is the present one, and the one before is old. */
export function turnKeys(db: DatabaseSync, next: SigningKey): void {
  const before = ownKey(db);
  inTransaction(db, () => {
    db.prepare("DELETE FROM other_key WHERE kid = ?").run(next.kid);
    db.prepare("INSERT INTO other_key (kid, private_jwk, role) VALUES (?, ?, 'old')").run(
      before.kid,
      JSON.stringify(before.privateJwk),
    );
    db.prepare("UPDATE identity SET private_jwk = ?").run(JSON.stringify(next.privateJwk));
  });
}

export function listOldKids(db: DatabaseSync): string[] {
  return db
    .prepare("SELECT kid FROM other_key WHERE role = 'old' ORDER BY kid")
    .all()
    .map((row) => kidRow.parse(row).kid);
}

export function deleteOldKey(db: DatabaseSync, kid: string): void {
  db.prepare("DELETE FROM other_key WHERE kid = ? AND role = 'old'").run(kid);
}

const otherRow = z.object({ private_jwk: z.string() });
const kidRow = z.object({ kid: z.string() });

export function readJoined(db: DatabaseSync): Joined | null {
  const row = readRow(db);
  if (row === null || row.host_id === null || row.server_id === null) return null;
  return {
    hostId: row.host_id,
    hostName: row.host_name ?? "",
    serverId: row.server_id,
    serverUrl: row.server_url ?? "",
    serverKeys: (JSON.parse(row.server_keys ?? "[]") as unknown[]).map(importPublicKey),
  };
}

/** A host that works without a server has an id and a name, and no server beside them. */
export function readAlone(db: DatabaseSync): HostName | null {
  const row = readRow(db);
  if (row === null || row.host_id === null || row.server_id !== null) return null;
  return { hostId: row.host_id, hostName: row.host_name ?? "" };
}

export function writeAlone(db: DatabaseSync, { hostId, hostName }: HostName): void {
  db.prepare("UPDATE identity SET host_id = ?, host_name = ?").run(hostId, hostName);
}

export function writeJoined(db: DatabaseSync, joined: Joined): void {
  db.prepare(
    `UPDATE identity
        SET host_id = ?, host_name = ?, server_id = ?, server_url = ?, server_keys = ?`,
  ).run(
    joined.hostId,
    joined.hostName,
    joined.serverId,
    joined.serverUrl,
    JSON.stringify(joined.serverKeys),
  );
}

export function addServerKeys(db: DatabaseSync, found: readonly PublicJwk[]): void {
  const joined = readJoined(db);
  if (joined === null) return;
  const serverKeys = JSON.stringify([...joined.serverKeys, ...found]);
  db.prepare("UPDATE identity SET server_keys = ?").run(serverKeys);
}

export function readLentBefore(db: DatabaseSync): LentBefore | null {
  const row = readRow(db);
  if (row === null || row.memory_bytes === null || row.disk_bytes === null) return null;
  return { memoryBytes: row.memory_bytes, diskBytes: row.disk_bytes };
}

export function writeLent(db: DatabaseSync, lent: LentBefore): void {
  db.prepare("UPDATE identity SET memory_bytes = ?, disk_bytes = ?").run(
    lent.memoryBytes,
    lent.diskBytes,
  );
}

const rowSchema = z.object({
  private_jwk: z.string(),
  host_id: idSchema("host").nullable(),
  host_name: z.string().nullable(),
  server_id: z.string().nullable(),
  server_url: z.string().nullable(),
  server_keys: z.string().nullable(),
  memory_bytes: z.number().nullable(),
  disk_bytes: z.number().nullable(),
});

function readRow(db: DatabaseSync) {
  const row = db.prepare("SELECT * FROM identity").get();
  return row === undefined ? null : rowSchema.parse(row);
}
