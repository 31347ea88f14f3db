import { z } from "zod";
import type { AgentContext } from "../context.ts";

/** So many codes of other hosts are looked at without a wait. */
const FREE_TIMES = 3;
const WAIT_SECONDS_MAX = 300;

/**
 * How long codes of other hosts are refused unseen; null: they are looked at. Right codes never
 * wait: whoever mistakes a file, or somebody else who can reach the socket, locks nobody out.
 */
export function waitForWrong({ db, clock }: AgentContext): number | null {
  const found = db.prepare("SELECT * FROM capacity_wrong").get();
  if (found === undefined) return null;
  const row = rowSchema.parse({ ...found });
  const leftNs = row.boot_id === clock.bootId() ? row.until_ns - clock.monotonicNs() : 0n;
  return leftNs > 0n ? Math.ceil(Number(leftNs) / 1e9) : null;
}

/** One more in a row: twice the wait of the last. */
export function noteWrong({ db, clock }: AgentContext): void {
  const found = db.prepare("SELECT * FROM capacity_wrong").get();
  const times = (found === undefined ? 0 : rowSchema.parse({ ...found }).times) + 1;
  const seconds = times <= FREE_TIMES ? 0 : Math.min(WAIT_SECONDS_MAX, 2 ** (times - FREE_TIMES));
  const untilNs = clock.monotonicNs() + BigInt(seconds) * 1_000_000_000n;
  db.prepare(
    "INSERT OR REPLACE INTO capacity_wrong (one, times, boot_id, until_ns) VALUES (1, ?, ?, ?)",
  ).run(times, clock.bootId(), `${untilNs}`);
}

export function forgetWrong({ db }: AgentContext): void {
  db.exec("DELETE FROM capacity_wrong");
}

const rowSchema = z.object({
  times: z.number(),
  boot_id: z.string(),
  until_ns: z.string().transform(BigInt),
});
