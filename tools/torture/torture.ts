import { setTimeout as sleep } from "node:timers/promises";
import { openMarket } from "../../test/guest/market.ts";
import { type Borrower, borrowUntil } from "./borrower.ts";
import { type Chance, createChance } from "./chance.ts";
import { faultsOf } from "./check.ts";
import { kill, revive, VICTIMS } from "./kill.ts";
import { CLIENTS, widen } from "./widen.ts";

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
 * A real market with real guests, in which server, agent, database and QEMU are killed at random
 * while more clients than there are partitions borrow dedicated and shared ones, now and for later,
 * extend, stop, start, restart, work and end; then everything must come to rest and add up.
 */
export async function torture({ seed, seconds, tell }: TortureOptions): Promise<TortureResult> {
  const market = await openMarket("torture");
  const stop = new AbortController();
  const kills: Record<string, number> = {};
  try {
    await widen(market);
    const borrowers = CLIENTS.map((name, index): Borrower => {
      const chance = createChance(seed + 1 + index);
      return { market, name, chance, stopped: stop.signal, tell };
    });
    const borrowing = Promise.all(borrowers.map(borrowUntil));
    borrowing.catch(() => stop.abort());
    const killing = killUntil(createChance(seed));
    await sleep(seconds * 1000, undefined, { signal: stop.signal }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    stop.abort();
    await killing;
    tell("no more kills: everything comes to rest");
    const leases = (await borrowing).flat();
    return { leases: leases.length, kills, faults: await faultsOf(market, leases) };
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
