import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** A proof that the time of events is too late. */
export interface Ahead {
  /** By so much at the least; 0: it was set back by it. */
  readonly aheadNs: bigint;
  /** How long the agent had run when what proved it was made. */
  readonly runNs: bigint;
}

export function readAhead(db: DatabaseSync): Ahead {
  const row = db.prepare("SELECT ahead_ns, run_ns FROM capacity_ahead").get();
  if (row === undefined) return { aheadNs: 0n, runNs: -1n };
  const { ahead_ns: aheadNs, run_ns: runNs } = rowSchema.parse({ ...row });
  return { aheadNs, runNs };
}

export function writeAhead(db: DatabaseSync, { aheadNs, runNs }: Ahead): void {
  db.prepare("INSERT OR REPLACE INTO capacity_ahead (one, ahead_ns, run_ns) VALUES (1, ?, ?)").run(
    `${aheadNs}`,
    `${runNs}`,
  );
}

const big = z.string().transform(BigInt);
const rowSchema = z.object({ ahead_ns: big, run_ns: big });
