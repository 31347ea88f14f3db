import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** The server's time at an instant of this computer's monotonic clock. */
export interface Anchor {
  readonly bootId: string;
  readonly monotonicNs: bigint;
  readonly serverNowMs: number;
}

export function readAnchor(db: DatabaseSync): Anchor | null {
  const row = db.prepare("SELECT * FROM anchor").get();
  if (row === undefined) return null;
  const { boot_id, monotonic_ns, server_now_ms } = rowSchema.parse(row);
  return { bootId: boot_id, monotonicNs: monotonic_ns, serverNowMs: server_now_ms };
}

export function writeAnchor(db: DatabaseSync, anchor: Anchor): void {
  db.prepare(
    `INSERT INTO anchor (one, boot_id, monotonic_ns, server_now_ms) VALUES (1, ?, ?, ?)
     ON CONFLICT (one) DO UPDATE SET boot_id = excluded.boot_id,
       monotonic_ns = excluded.monotonic_ns, server_now_ms = excluded.server_now_ms`,
  ).run(anchor.bootId, anchor.monotonicNs.toString(), anchor.serverNowMs);
}

const rowSchema = z.object({
  boot_id: z.string(),
  monotonic_ns: z.string().transform(BigInt),
  server_now_ms: z.number(),
});
