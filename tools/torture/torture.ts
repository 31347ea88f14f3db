import { setTimeout as sleep } from "node:timers/promises";
import { openMarket } from "../../test/guest/market.ts";
import { borrowUntil } from "./borrower.ts";
import { type Chance, createChance } from "./chance.ts";
import { faultsOf } from "./check.ts";
import { kill, revive, VICTIMS } from "./kill.ts";

export interface TortureOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly tell: (line: string) => void;
}

export interface TortureResult {
  readonly leases: number;
  readonly kills: Readonly<Record<string, number>>;
  /** What did not hold afterwards. */
  readonly faults: readonly string[];
}

/**
 * A real market with a real guest, in which server, agent, database and QEMU are killed at random
 * while somebody borrows, works and ends; then everything must come to rest and add up.
 */
export async function torture({ seed, seconds, tell }: TortureOptions): Promise<TortureResult> {
  const market = await openMarket("torture");
  const stop = new AbortController();
  const kills: Record<string, number> = {};
  try {
    const borrowing = borrowUntil(market, createChance(seed + 1), stop.signal, tell);
    borrowing.catch(() => stop.abort());
    const killing = killUntil(createChance(seed));
    await sleep(seconds * 1000, undefined, { signal: stop.signal }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    stop.abort();
    await killing;
    tell("no more kills: everything comes to rest");
    const leaseIds = await borrowing;
    return { leases: leaseIds.length, kills, faults: await faultsOf(market, leaseIds) };
  } finally {
    await market.close();
  }

  async function killUntil(chance: Chance): Promise<void> {
    while (!stop.signal.aborted) {
      await sleep(chance.between(300, 6000));
      if (stop.signal.aborted) return;
      const victim = chance.pick(VICTIMS);
      if (!(await kill(market, victim))) continue;
      kills[victim] = (kills[victim] ?? 0) + 1;
      tell(`killed the ${victim}`);
      await sleep(chance.between(0, 2500));
      await revive(market, victim);
    }
  }
}
