import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "../../src/api/contract/contract.ts";
import type { Market } from "../../test/guest/market.ts";
import type { Chance } from "./chance.ts";
import type { ClientName } from "./widen.ts";

type Lease = Response<"bookLease">;

export interface Borrower {
  readonly market: Market;
  readonly name: ClientName;
  readonly chance: Chance;
  readonly stopped: AbortSignal;
  readonly tell: (line: string) => void;
}

export interface Borrowing {
  readonly client: ClientName;
  readonly leaseId: string;
}

/** Borrows, works a little, lets it end; again and again until told to stop. */
export async function borrowUntil(borrower: Borrower): Promise<Borrowing[]> {
  const { name, stopped, tell } = borrower;
  const leases: Borrowing[] = [];
  while (!stopped.aborted) {
    const booked = await book(borrower);
    if (!booked.ok) {
      // Others have the partitions, or nobody has heard of the host for a moment.
      tell(`${name}: not booked: ${booked.code}`);
      await sleep(700);
      continue;
    }
    const { leaseId } = booked.value;
    leases.push({ client: name, leaseId });
    await work(borrower, leaseId);
    await finish(borrower, leaseId);
  }
  return leases;
}

/** Dedicated or shared; now or for later; for so long that it has to be ended, or not. */
async function book({ market, name, chance, tell }: Borrower) {
  const isShared = chance.next() < 0.5;
  const cpu = isShared ? ["--cpu", "0.5", "--shared"] : ["--cpu", "1"];
  const size = [...cpu, "--memory", "192MiB", "--disk", "64MiB", "--os", "small-linux"];
  const seconds = chance.pick([60, 60, 600]);
  const later = chance.next() < 0.3 ? ["--start", `now+${chance.between(2, 12)}s`] : [];
  const wish = [...size, "--for", `${seconds}s`, ...later, "--yes", "--as", name];
  const booked = await market.verbs.ask<Lease>("lease", "create", ...wish);
  if (booked.ok) tell(`${name}: booked ${booked.value.leaseId} (${wish.slice(0, -3).join(" ")})`);
  return booked;
}

/** What clients do with a lease, whatever state it is in. */
type Deed = "run" | "extend" | "stop" | "start" | "restart" | "console" | "nothing";
const DEEDS = [
  ...["run", "run", "extend", "extend"],
  ...["stop", "start", "restart", "console", "nothing"],
] as unknown as readonly [Deed, ...Deed[]];

async function work(borrower: Borrower, leaseId: string): Promise<void> {
  const { market, name, chance, stopped, tell } = borrower;
  const untilMs = performance.now() + chance.between(500, 20_000);
  while (performance.now() < untilMs && !stopped.aborted) {
    const shown = await show(market, name, leaseId);
    if (shown?.state === "ended") return;
    const deed = chance.pick(DEEDS);
    if (deed !== "nothing") {
      const done = await market.verbs.ask(...argumentsOf(deed, leaseId, name, chance));
      tell(`${name}: ${deed} ${leaseId}: ${done.ok ? "done" : done.code}`);
    }
    await sleep(chance.between(200, 3_000));
  }
}

function argumentsOf(
  deed: Exclude<Deed, "nothing">,
  leaseId: string,
  name: ClientName,
  chance: Chance,
): string[] {
  const as = ["--as", name];
  switch (deed) {
    case "run":
      return ["run", "--lease", leaseId, ...as, "--", "cat /proc/sys/kernel/random/boot_id"];
    case "extend":
      return ["lease", "extend", leaseId, "--for", `${chance.between(60, 90)}s`, "--yes", ...as];
    default:
      return ["lease", deed, leaseId, ...as];
  }
}

/** Most are ended early, in any state; some are left to their own end, where that is soon. */
async function finish({ market, name, chance, tell }: Borrower, leaseId: string): Promise<void> {
  const lease = await show(market, name, leaseId);
  if (lease?.state === "ended") return;
  const leftMs = Date.parse(lease?.period?.end ?? "") - Date.now();
  if (!(leftMs < 40_000 && chance.next() < 0.5)) {
    const ended = await market.verbs.ask("lease", "end", leaseId, "--as", name);
    tell(`${name}: ended ${leaseId}${ended.ok ? "" : `: ${ended.code}`}`);
  }
  await settled(market, { client: name, leaseId }, 60_000);
}

async function show({ verbs }: Market, name: ClientName, leaseId: string) {
  const shown = await verbs.ask<Response<"showLease">>("lease", "show", leaseId, "--as", name);
  return shown.ok ? shown.value.lease : undefined;
}

/** Ended and billed; false when that takes too long. */
export async function settled(
  market: Market,
  { client, leaseId }: Borrowing,
  limitMs: number,
): Promise<boolean> {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(300)) {
    const lease = await show(market, client, leaseId);
    const isOver = lease?.state === "ended";
    if (isOver && (lease.billId !== null || lease.preparingAt === null)) return true;
  }
  return false;
}
