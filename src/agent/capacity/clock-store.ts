import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { AgentContext } from "../context.ts";
import { readAhead, writeAhead } from "./ahead-store.ts";
import { listOpenChains } from "./chain-store.ts";
import { type EventTime, eventTimeAt } from "./event-time.ts";

export interface CapacityNow extends EventTime {
  readonly atMs: number;
  readonly at: string;
}

/** Clocks of two computers differ by so much without being wrong. */
export const CLOCKS_DIFFER_MS = 60_000;

/**
 * What time it is for acts and readings; stored, in the caller's transaction. It falls only by what
 * a provider or the server has proven it to be ahead, and while no meter is open.
 */
export function tellCapacityTime({ db, clock, time }: AgentContext): CapacityNow {
  const found = db.prepare("SELECT * FROM capacity_clock").get();
  const before = found === undefined ? null : parseRow(found);
  const monotonicNs = clock.monotonicNs();
  const nowMs = time.nowMs();
  const told = eventTimeAt(before, { bootId: clock.bootId(), monotonicNs, nowMs });
  const bootRunNs = before?.bootId === told.bootId ? before.bootRunNs : told.runNs;
  // How long the computer was off is not known: it may have made up for what was ahead.
  if (bootRunNs !== before?.bootRunNs) writeAhead(db, { aheadNs: 0n, runNs: told.runNs });
  const now = setBack(db, told, time.isAnchored() ? nowMs : null);
  db.prepare(
    `INSERT OR REPLACE INTO capacity_clock (one, boot_id, monotonic_ns, run_ns, at_ns, boot_run_ns)
     VALUES (1, ?, ?, ?, ?, ?)`,
  ).run(now.bootId, `${now.monotonicNs}`, `${now.runNs}`, `${now.atNs}`, `${bootRunNs}`);
  const atMs = Number(now.atNs / 1_000_000n);
  return { ...now, atMs, at: new Date(atMs).toISOString() };
}

/** A meter's records go on in time, so none may be open. `serverMs` is the server's signed time. */
function setBack(db: DatabaseSync, now: EventTime, serverMs: number | null): EventTime {
  const proven = readAhead(db).aheadNs;
  const most = now.atNs - BigInt(CLOCKS_DIFFER_MS) * 1_000_000n;
  const serverNs = serverMs === null ? null : BigInt(serverMs) * 1_000_000n;
  const isBehind = serverNs !== null && serverNs < most;
  if ((proven === 0n && !isBehind) || listOpenChains(db).length > 0) return now;
  if (proven > 0n) writeAhead(db, { aheadNs: 0n, runNs: now.runNs });
  return { ...now, atNs: isBehind ? serverNs : now.atNs - proven };
}

/**
 * A provider has signed that it received, at an instant by its clock, what this host had signed at a
 * later one by its own: so the host's time was ahead by the difference, if not by more, and still is
 * within that boot. What was signed before the last such proof, or in an earlier boot, proves
 * nothing.
 */
export function proveAhead(
  context: AgentContext,
  head: { readonly at: string; readonly runNs: string },
  receivedAt: string,
): void {
  const { db } = context;
  // A boot that nobody noticed yet is noticed now.
  tellCapacityTime(context);
  const aheadMs = Date.parse(head.at) - Date.parse(receivedAt);
  const runNs = BigInt(head.runNs);
  if (aheadMs <= CLOCKS_DIFFER_MS || runNs <= readAhead(db).runNs) return;
  writeAhead(db, { aheadNs: BigInt(aheadMs) * 1_000_000n, runNs });
}

const big = z.string().transform(BigInt);
const rowSchema = z.object({
  boot_id: z.string(),
  monotonic_ns: big,
  run_ns: big,
  at_ns: big,
  boot_run_ns: big,
});

function parseRow(found: unknown): EventTime & { readonly bootRunNs: bigint } {
  const row = rowSchema.parse(found);
  const { boot_id: bootId, monotonic_ns: monotonicNs, run_ns: runNs, at_ns: atNs } = row;
  return { bootId, monotonicNs, runNs, atNs, bootRunNs: row.boot_run_ns };
}
