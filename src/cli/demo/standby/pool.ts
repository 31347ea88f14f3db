import { setTimeout as sleep } from "node:timers/promises";
import { periodAt } from "../../../enablement/capacity/billing-period.ts";
import type { SharedFacts, Skipped } from "../facts.ts";
import type { Play, Timed } from "../story.ts";
import { type InService, PERIOD, settle } from "./bills.ts";
import type { StandbyHost } from "./host.ts";
import { cut, type OwnGuest, SAME_AT_MOST, startGuest } from "./own-guest.ts";
import { fits, sharedLines, tellLines } from "./pool-lines.ts";

/** Each is entitled to half a core, and may use a whole one while the pool has more. */
const HALF = ["--cpu", "0.5", "--max-cpu", "1", ...SAME_AT_MOST, "--shared"];
const CALM = "calm";
const BUSY = "busy";
/** Of the busy one; the calm one has the default: what it is entitled to, over the period. */
const THRESHOLD_SECONDS = 2;
/** So far above it that a reader sees it. */
const ABOVE_NS = 1_000_000_000n;
/** What the scene needs of one period, so that its bill is of one. */
const WINDOW_MS = 9_000;
/** Whatever else this computer does. */
const COMPUTE_MS_MAX = 90_000;

type Counted = Readonly<Record<string, bigint>>;

/**
 * The core is enabled for the pool. Two guests compute there: one stays below its threshold and
 * pays nothing, the other goes above its own and pays for what is above.
 */
export async function playShared(
  play: Play,
  host: StandbyHost,
  timed: Timed,
): Promise<{ readonly facts: SharedFacts; readonly verified: boolean } | Skipped> {
  const { teller } = play;
  if (host.notShared !== null) {
    teller.detail(`not on this computer: ${host.notShared}`);
    return { skipped: host.notShared };
  }
  const guests = await openPool(play, host, timed);
  const [, busy] = guests;
  teller.say("What was left of the code is enabled for the pool.");
  const first = await count(host, guests);
  const fromMs = Date.now();
  const enable = host.tell<{ service: { serviceId: string } }>(
    ...["capacity", "enable", "--accepted", "--shared"],
  );
  const { service } = await timed("sharedEnable", "the pool grows", enable);
  const second = await count(host, guests);
  teller.say("Both compute: the calm one for a second, the busy one until it is above.");
  await timed("sharedUse", "they compute", computeBoth(host, busy));
  const third = await count(host, guests);
  const giveBack = host.tell("capacity", "return", "--shared");
  await timed("sharedReturn", "the pool shrinks", giveBack);
  const within: InService = { fromMs, toMs: Date.now() };
  const last = await count(host, guests);

  teller.say("The bill: each by its own threshold, and only what is above it.");
  const { bills, verified } = await settle(play, host, timed, "shared", within);
  const lines = sharedLines(bills);
  const facts: SharedFacts = {
    serviceId: service.serviceId,
    lines,
    kernelNs: Object.fromEntries(
      [CALM, BUSY].map((name) => [
        name,
        { atLeast: less(third, second, name), atMost: less(last, first, name) },
      ]),
    ),
    billIds: bills.map(({ billId }) => billId),
  };
  tellLines(play, facts);
  return { facts, verified: verified && fits(facts, { free: CALM, paying: BUSY }) };
}

/** Two partitions with guests, and a period in which the thresholds count. */
async function openPool(
  play: Play,
  host: StandbyHost,
  timed: Timed,
): Promise<readonly [OwnGuest, OwnGuest]> {
  const { teller } = play;
  await cut(play, host, CALM, HALF);
  await cut(play, host, BUSY, HALF);
  const set = ["capacity", "threshold", BUSY, `${THRESHOLD_SECONDS}s`];
  const { from } = await host.tell<{ from: string }>(...set);
  teller.detail(
    `without charge in each period: ${BUSY} ${THRESHOLD_SECONDS} core-seconds, ${CALM} what half a core gives: ${PERIOD.seconds / 2}`,
  );
  const starts = Promise.all([startGuest(host, CALM), startGuest(host, BUSY)]);
  const guests = await timed("sharedReady", "both partitions boot", starts);
  const nowMs = Date.now();
  const { endMs } = periodAt(PERIOD, nowMs);
  const fitsMs = endMs - nowMs < WINDOW_MS ? endMs : nowMs;
  const waitMs = Math.max(Date.parse(from), fitsMs) - nowMs;
  if (waitMs > 0) {
    teller.say("A threshold counts from the next period on: they wait for its begin.");
    await timed("periodBegin", "waiting", sleep(waitMs + 100));
  }
  return guests;
}

/**
 * In pieces of a second or two, until the busy one is above within one period: on a computer that
 * has much else to do the first may be too short.
 */
async function computeBoth(host: StandbyHost, { guestId }: OwnGuest): Promise<void> {
  const limitNs = BigInt(THRESHOLD_SECONDS) * 1_000_000_000n + ABOVE_NS;
  const calm = host.inside(CALM, "timeout 1 yes >/dev/null; true");
  const since = performance.now();
  let beganNs = await host.kernelNs(guestId);
  let { endMs } = periodAt(PERIOD, Date.now());
  for (;;) {
    await host.inside(BUSY, "timeout 2 yes >/dev/null; true");
    const ns = await host.kernelNs(guestId);
    if (Date.now() >= endMs) {
      endMs = periodAt(PERIOD, Date.now()).endMs;
      beganNs = ns;
    }
    if (ns - beganNs > limitNs || performance.now() - since > COMPUTE_MS_MAX) break;
  }
  await calm;
}

async function count(host: StandbyHost, guests: readonly OwnGuest[]): Promise<Counted> {
  const counted = await Promise.all(
    guests.map(async ({ partition, guestId }) => [partition, await host.kernelNs(guestId)]),
  );
  return Object.fromEntries(counted);
}

function less(later: Counted, earlier: Counted, name: string): string {
  return ((later[name] ?? 0n) - (earlier[name] ?? 0n)).toString();
}
