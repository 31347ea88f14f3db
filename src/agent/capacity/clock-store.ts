import { z } from "zod";
import type { AgentContext } from "../context.ts";
import { type EventTime, eventTimeAt } from "./event-time.ts";

export interface CapacityNow extends EventTime {
  readonly atMs: number;
  readonly at: string;
}

/** What time it is for acts and readings; stored, in the caller's transaction, so it never falls. */
export function tellCapacityTime({ db, clock, time }: AgentContext): CapacityNow {
  const found = db.prepare("SELECT * FROM capacity_clock").get();
  const before = found === undefined ? null : parseRow(found);
  const monotonicNs = clock.monotonicNs();
  const now = eventTimeAt(before, { bootId: clock.bootId(), monotonicNs, nowMs: time.nowMs() });
  db.prepare(
    `INSERT INTO capacity_clock (one, boot_id, monotonic_ns, run_ns, at_ns) VALUES (1, ?, ?, ?, ?)
     ON CONFLICT (one) DO UPDATE SET boot_id = excluded.boot_id, run_ns = excluded.run_ns,
       monotonic_ns = excluded.monotonic_ns, at_ns = excluded.at_ns`,
  ).run(now.bootId, `${now.monotonicNs}`, `${now.runNs}`, `${now.atNs}`);
  const atMs = Number(now.atNs / 1_000_000n);
  return { ...now, atMs, at: new Date(atMs).toISOString() };
}

const big = z.string().transform(BigInt);
const rowSchema = z.object({ boot_id: z.string(), monotonic_ns: big, run_ns: big, at_ns: big });

function parseRow(found: unknown): EventTime {
  const row = rowSchema.parse(found);
  const { boot_id: bootId, monotonic_ns: monotonicNs, run_ns: runNs, at_ns: atNs } = row;
  return { bootId, monotonicNs, runNs, atNs };
}
