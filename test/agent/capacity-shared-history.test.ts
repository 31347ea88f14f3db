import fc from "fast-check";
import { expect, test } from "vitest";
import { listOpenChains } from "../../src/agent/capacity/chain-store.ts";
import { billOnDemand, capacityOnce } from "../../src/agent/capacity/once.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { lastReadingOf } from "../../src/meter/spool.ts";
import {
  createProvider,
  enabled,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

const PERIOD_MS = 600_000;
/** Half a core by right, over ten minutes. */
const ALLOWANCE = 500n * 600n * SECOND_NS;
const step = fc.record({
  seconds: fc.integer({ min: 1, max: 400 }),
  busy: fc.integer({ min: 0, max: 2_000 }),
  event: fc.constantFrom("none", "restart", "wall", "reboot", "bill", "serve"),
  /** How long the host is down, or by how much its clock is set. */
  away: fc.integer({ min: 0, max: 1_500 }),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What was used between two readings, of which nobody knows when. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly ns: bigint;
}

/** By period: what falls into it when use is spread evenly. */
function spread(stretches: readonly Stretch[]): Map<number, number> {
  const by = new Map<number, number>();
  for (const { fromMs, toMs, ns } of stretches) {
    const first = Math.floor(fromMs / PERIOD_MS) * PERIOD_MS;
    for (let start = first; start <= toMs; start += PERIOD_MS) {
      const part = Math.min(toMs, start + PERIOD_MS) - Math.max(fromMs, start);
      const share = toMs === fromMs ? 1 : Math.max(0, part) / (toMs - fromMs);
      by.set(start, (by.get(start) ?? 0) + Number(ns) * share);
    }
  }
  return by;
}

async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const max = { ...SIZE, cpuMilli: 2000 };
  cut(agent, "p1", { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared", max });
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const [kind, seconds] = ["fixed" as const, PERIOD_MS / 1000];
  const billingPeriod = { kind, seconds, anchor: "2027-01-31T08:00:00Z" };
  const code = provider.code(agent, { billingPeriod });
  await enabled(agent, { code, shared: true });
  return { rig, agent, code, guestId: leaseId };
}

function readAtMs({ db }: AgentContext): number {
  const [chain] = listOpenChains(db);
  const reading = chain && lastReadingOf(db, chain.chainId);
  return Date.parse(reading?.at ?? "");
}

async function live(history: readonly Step[]) {
  const { rig, agent: first, code, guestId } = await world();
  let agent = first;
  const stretches: Stretch[] = [];
  let [fromMs, counter, unread, reboots] = [readAtMs(agent), 0n, 0n, 0];
  const note = () => {
    const toMs = readAtMs(agent);
    if (toMs === fromMs) return;
    stretches.push({ fromMs, toMs, ns: unread });
    [fromMs, unread] = [toMs, 0n];
  };
  for (const { seconds, busy, event, away } of history) {
    const ns = BigInt(seconds * busy) * 1_000_000n;
    rig.burn(ns);
    counter += ns;
    unread += ns;
    rig.clock.pass(seconds * 1000);
    if (event === "wall") rig.clock.stepWall((away - 750) * 1000);
    if (event === "restart" || event === "reboot") agent.db.close();
    if (event === "reboot") {
      reboots += 1;
      rig.driver.end(guestId, "process-died");
      rig.burn(-counter);
      // What nobody had read when the host went down is nobody's.
      [counter, unread] = [0n, 0n];
      rig.clock.reboot();
      rig.clock.stepWall(away * 1000);
    }
    if (event === "restart" || event === "reboot") agent = await rig.startAlone();
    if (event === "reboot") await rig.rounds(agent, 2, 500);
    if (event === "bill") await billOnDemand(agent, null);
    if (event === "serve") await serveRounds(rig, agent, 1, 1);
    await capacityOnce(agent);
    note();
  }
  const chainId = listOpenChains(agent.db)[0]?.chainId ?? "chain_0";
  await returned(agent, { shared: true });
  const toMs = Date.parse(lastReadingOf(agent.db, chainId)?.at ?? "");
  stretches.push({ fromMs, toMs, ns: unread });
  return { agent, code, stretches, reboots };
}

test("over clock steps, reboots and the edges of periods every period has its own excess, exactly", async () => {
  let [edges, boots] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (history) => {
      const { agent, code, stretches, reboots } = await live(history);
      const records = recordsOf(agent);
      expect(checkChain(chainOrigin(code), records)).toEqual({ ok: true });
      const by = new Map<number, { cpuNs: bigint; metered: bigint }>();
      for (const { record } of records) {
        const { period, meteredQuantity = "0" } = record.capacity ?? {};
        const startMs = Date.parse(period?.start ?? "");
        // A record lies in the period that it names.
        expect(Date.parse(record.from.at)).toBeGreaterThanOrEqual(startMs);
        expect(Date.parse(record.to.at)).toBeLessThanOrEqual(startMs + PERIOD_MS);
        const { cpuNs, metered } = by.get(startMs) ?? { cpuNs: 0n, metered: 0n };
        by.set(startMs, {
          cpuNs: cpuNs + BigInt(record.cpuNs),
          metered: metered + BigInt(meteredQuantity),
        });
      }
      const used = stretches.reduce((sum, { ns }) => sum + ns, 0n);
      const told = [...by.values()].reduce((sum, { cpuNs }) => sum + cpuNs, 0n);
      // Each edge rounds down on both of its sides.
      expect(used - told).toBeGreaterThanOrEqual(0n);
      expect(used - told).toBeLessThanOrEqual(BigInt(by.size + stretches.length));
      const model = spread(stretches);
      for (const [startMs, { cpuNs, metered }] of by) {
        const excess = 1000n * cpuNs - ALLOWANCE;
        expect(metered).toBe(excess > 0n ? excess : 0n);
        // Readings are told to the millisecond: so much of a stretch may lie on the other side.
        expect(Math.abs(Number(cpuNs) - (model.get(startMs) ?? 0))).toBeLessThan(20_000_000);
      }
      edges += by.size - 1;
      boots += reboots;
      agent.db.close();
    }),
    { numRuns: 12 },
  );
  expect(edges).toBeGreaterThan(6);
  expect(boots).toBeGreaterThan(3);
}, 120_000);
