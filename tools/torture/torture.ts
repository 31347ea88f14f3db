import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "../../test/guest/daemon.ts";
import { type Market, openMarket } from "../../test/guest/market.ts";
import { type Borrower, borrowUntil } from "./borrower.ts";
import { createChance } from "./chance.ts";
import { faultsOf } from "./check.ts";
import { type Daemons, kill, revive, VICTIMS } from "./kill.ts";
import { type Metered, openMetered } from "./metered.ts";
import { ownUntil } from "./owner.ts";
import { watchGuests } from "./watch.ts";
import { CLIENTS, widen } from "./widen.ts";

export interface TortureOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly tell: (line: string) => void;
  /** Where the logs of server and agents go when something does not hold. */
  readonly logsFolder?: string;
}

export interface TortureResult {
  readonly leases: number;
  /** Of enabled capacity. */
  readonly records: number;
  readonly bills: number;
  readonly kills: Readonly<Record<string, number>>;
  /** What did not hold afterwards. */
  readonly faults: readonly string[];
}

/**
 * A real market with real guests, in which server, agents, database and QEMU are killed at random
 * while more clients than there are partitions borrow dedicated and shared ones, now and for later,
 * extend, stop, start, restart, work and end; and while the owner of a second host enables and
 * returns its standby core. Then everything must come to rest and add up.
 */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { seed, seconds, tell } = options;
  const market = await openMarket("torture");
  const stop = new AbortController();
  let metered: Metered | undefined;
  try {
    [metered] = await Promise.all([openMetered(market), widen(market)]);
    const watch = watchGuests(metered.guestsFolder, tell);
    const borrowers = CLIENTS.map((name, index): Borrower => {
      const chance = createChance(seed + 1 + index);
      return { market, name, chance, stopped: stop.signal, tell };
    });
    const chance = createChance(seed + 1 + CLIENTS.length);
    const owner = { market, metered, watch, chance, stopped: stop.signal, tell };
    const borrowing = Promise.all(borrowers.map(borrowUntil));
    const owning = ownUntil(owner);
    for (const doing of [borrowing, owning]) doing.catch(() => stop.abort());
    const daemons = { server: market.server, agent: market.agent, meter: metered.agent };
    const killing = killUntil({ seed, market, daemons, stopped: stop.signal, tell });
    await sleep(seconds * 1000, undefined, { signal: stop.signal }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    stop.abort();
    const kills = await killing;
    tell("no more kills: everything comes to rest");
    const [leases, owned] = await Promise.all([borrowing, owning]);
    const checked = await faultsOf({ market, metered, watch, leases: leases.flat(), owned });
    if (checked.faults.length > 0) keepLogs(options, [market.server, market.agent, metered.agent]);
    return { leases: leases.flat().length, kills, ...checked };
  } finally {
    await metered?.close();
    await market.close();
  }
}

function keepLogs({ logsFolder }: TortureOptions, daemons: readonly Daemon[]): void {
  if (logsFolder === undefined) return;
  mkdirSync(logsFolder, { recursive: true });
  const names = ["server.log", "agent.log", "meter.log"];
  for (const [index, { logPath }] of daemons.entries()) {
    copyFileSync(logPath, join(logsFolder, names[index] ?? basename(logPath)));
  }
}

interface Killing {
  readonly seed: number;
  readonly market: Market;
  readonly daemons: Daemons;
  readonly stopped: AbortSignal;
  readonly tell: (line: string) => void;
}

/** How often each was killed. */
async function killUntil(killing: Killing): Promise<Record<string, number>> {
  const { market, daemons, stopped, tell } = killing;
  const chance = createChance(killing.seed);
  const kills: Record<string, number> = {};
  while (!stopped.aborted) {
    await sleep(chance.between(300, 6000));
    if (stopped.aborted) break;
    const victim = chance.pick(VICTIMS);
    if (!(await kill(market, daemons, victim))) continue;
    kills[victim] = (kills[victim] ?? 0) + 1;
    tell(`killed the ${victim}`);
    await sleep(chance.between(0, 2500));
    await revive(daemons, victim);
  }
  return kills;
}
