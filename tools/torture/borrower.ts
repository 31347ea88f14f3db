import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "../../src/api/contract/contract.ts";
import type { Market } from "../../test/guest/market.ts";
import { WISH } from "../../test/guest/market.ts";
import type { Chance } from "./chance.ts";

type Lease = Response<"bookLease">;
const AS_CLIENT = ["--as", "client"];

/** Borrows, works a little, ends; again and again until told to stop. Gives the leases it had. */
export async function borrowUntil(
  market: Market,
  chance: Chance,
  stopped: AbortSignal,
  tell: (line: string) => void,
): Promise<string[]> {
  const leaseIds: string[] = [];
  while (!stopped.aborted) {
    const booked = await market.verbs.ask<Lease>("lease", "create", ...WISH, "--yes", ...AS_CLIENT);
    if (!booked.ok) {
      // The partition is still being wiped, or nobody has heard of the host for a moment.
      tell(`not booked: ${booked.code}`);
      await sleep(500);
      continue;
    }
    const { leaseId } = booked.value;
    leaseIds.push(leaseId);
    tell(`booked ${leaseId}`);
    await work(market, chance, leaseId, stopped, tell);
    const ended = await market.verbs.ask("lease", "end", leaseId, ...AS_CLIENT);
    tell(`ended ${leaseId}${ended.ok ? "" : `: ${ended.code}`}`);
    await settled(market, leaseId, 60_000);
  }
  return leaseIds;
}

/** Until it is ready, or for as long as chance wants: leases are ended in any state. */
async function work(
  { verbs }: Market,
  chance: Chance,
  leaseId: string,
  stopped: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  const patienceMs = chance.between(500, 15_000);
  for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(300)) {
    const shown = await verbs.ask<Response<"showLease">>("lease", "show", leaseId, ...AS_CLIENT);
    if (stopped.aborted || (shown.ok && shown.value.lease.state === "ended")) return;
    if (!shown.ok || shown.value.lease.state !== "ready") continue;
    const run = [
      "run",
      "--lease",
      leaseId,
      ...AS_CLIENT,
      "--",
      "cat /proc/sys/kernel/random/boot_id",
    ];
    const ran = await verbs.ask<{ exitCode: number }>(...run);
    tell(`ran in ${leaseId}: ${ran.ok ? ran.value.exitCode : ran.code}`);
    await sleep(chance.between(0, 3000));
    return;
  }
}

/** Ended and billed; false when that takes too long. */
export async function settled(
  { verbs }: Market,
  leaseId: string,
  limitMs: number,
): Promise<boolean> {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(300)) {
    const shown = await verbs.ask<Response<"showLease">>("lease", "show", leaseId, ...AS_CLIENT);
    if (!shown.ok) continue;
    const { state, billId, outcome } = shown.value.lease;
    if (state === "ended" && (billId !== null || outcome === "cancelled")) return true;
  }
  return false;
}
