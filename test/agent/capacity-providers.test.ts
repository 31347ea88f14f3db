import fc from "fast-check";
import { expect, test } from "vitest";
import { billOnDemand, capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { setThreshold } from "../../src/agent/capacity/threshold.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import { createProvider, enabled, returned, SECOND_NS, STANDBY, serveRounds } from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";
import { booksOf, CUSTOMER } from "./provider-books.ts";

const HALF = { ...SIZE, cpuMilli: 500 };

/** A host with two shared guests, and two providers that it trusts. */
async function world() {
  const rig = createRig(STANDBY);
  const agent = await rig.startAlone();
  const vendors = ["first", "second"].map(() => {
    const provider = createProvider();
    provider.pin(agent);
    const jws: string[] = [];
    return {
      provider,
      jws,
      code: (change: Partial<CapacityCode> = {}) => {
        const code = provider.code(agent, { customer: CUSTOMER, ...change });
        jws.push(code);
        return code;
      },
    };
  });
  for (const name of ["p1", "p2"]) {
    cut(agent, name, { size: HALF, cpuMode: "shared", max: { ...SIZE, cpuMilli: 2000 } });
    await begun(agent, name);
  }
  await rig.rounds(agent, 2, 1_000);
  const [first, second] = vendors;
  if (!first || !second) throw new Error("no providers");
  return { rig, agent, first, second };
}
type World = Awaited<ReturnType<typeof world>>;

const booksIn = ({ agent }: World, { provider, jws }: World["first"]) =>
  booksOf(agent, provider, jws);

test("of two providers in one period each bills what is above its own whole threshold", async () => {
  const market = await world();
  const { rig, agent, first, second } = market;
  for (const vendor of [first, second]) {
    await enabled(agent, { code: vendor.code(), shared: true });
    rig.burn(2000n * SECOND_NS);
    await serveRounds(rig, agent, 1, 600_000);
    await returned(agent, { shared: true });
  }
  for (const vendor of [first, second]) {
    const { faults, bills, differs } = booksIn(market, vendor);
    expect([...faults, ...differs]).toEqual([]);
    expect(bills.map(({ act }) => act.reason)).toEqual(["returned"]);
    expect(bills[0]?.lines.map(({ used, excess }) => [used, excess])).toEqual([
      [`${2000n * 1000n * SECOND_NS}`, `${200n * 1000n * SECOND_NS}`],
      [`${2000n * 1000n * SECOND_NS}`, `${200n * 1000n * SECOND_NS}`],
    ]);
  }
});

test("a threshold that was set is for one provider's codes, and another's default stays", async () => {
  const market = await world();
  const { rig, agent, first, second } = market;
  await enabled(agent, { code: first.code() });
  await enabled(agent, { code: second.code() });
  const wish = {
    ...{ partition: "p1", providerId: first.provider.providerId },
    threshold: { kind: "allowance", milliCoreNs: (60n * 1000n * SECOND_NS).toString() } as const,
  };
  expect(setThreshold(agent, wish)).toMatchObject({ from: "2027-01-31T09:00:00.000Z" });
  await serveRounds(rig, agent, 1, 3_600_000);
  for (const vendor of [first, second]) {
    await enabled(agent, { code: vendor.code({ validity: SHORT }), shared: true });
    rig.burn(100n * SECOND_NS);
    await serveRounds(rig, agent, 1, 600_000);
    await returned(agent, { shared: true });
  }
  const [own, other] = [first, second].map((vendor) => booksIn(market, vendor));
  expect([...(own?.faults ?? []), ...(other?.faults ?? [])]).toEqual([]);
  const excesses = (books: typeof own) =>
    books?.bills.flatMap(({ lines }) => lines.map(({ excess }) => excess));
  expect(excesses(own)).toEqual([`${40n * 1000n * SECOND_NS}`, "0"]);
  expect(excesses(other)).toEqual(["0", "0"]);
});

const SHORT = { start: "2027-01-31T00:00:00Z", end: "2027-02-20T00:00:00Z" };

/** Terms that two providers, or one after a change of its prices, may compare use by. */
const RULES: readonly Partial<CapacityCode>[] = [
  {},
  { threshold: { kind: "rate", intervalSeconds: 60 } },
  { billingPeriod: { kind: "fixed", seconds: 2700, anchor: "2027-01-31T00:10:00Z" } },
  { billingPeriod: { kind: "month", timeZone: "Europe/Berlin" } },
];

const history = fc.array(
  fc.record({
    seconds: fc.integer({ min: 1, max: 900 }),
    busy: fc.integer({ min: 0, max: 2_000 }),
    event: fc.oneof(
      fc.record({ vendor: fc.integer({ min: 0, max: 1 }), rule: fc.nat(RULES.length - 1) }),
      fc.constantFrom("none", "restart", "bill", "return"),
    ),
  }),
  { minLength: 1, maxLength: 14 },
);

test("whatever two providers' codes enable, each one's bills follow from its own records alone", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const market = await world();
      const { rig, first, second } = market;
      let { agent } = market;
      for (const { seconds, busy, event } of steps) {
        if (event === "restart") {
          agent.db.close();
          agent = await rig.startAlone();
        } else if (event === "bill") await billOnDemand(agent, null);
        else if (event === "return") await giveBackAll(agent);
        else if (event !== "none") {
          await giveBackAll(agent);
          const vendor = event.vendor === 0 ? first : second;
          await enabled(agent, { code: vendor.code(RULES[event.rule]), shared: true });
        }
        rig.burn(BigInt(seconds * busy) * 1_000_000n);
        rig.clock.pass(seconds * 1000);
        await capacityOnce(agent);
      }
      await giveBackAll(agent);
      await serveRounds(rig, agent, 1, 3_600_000);
      for (const vendor of [first, second]) {
        const { faults, bills, differs, records } = booksIn({ ...market, agent }, vendor);
        expect([...faults, ...differs]).toEqual([]);
        const metered = records.map(({ record }) => BigInt(record.capacity?.meteredQuantity ?? 0));
        const charged = new Map(
          bills.flatMap(({ lines }) =>
            lines.map(({ quantity, ...line }) => [placeOf(line), BigInt(quantity)] as const),
          ),
        );
        expect([...charged.values()].reduce((a, b) => a + b, 0n)).toBe(
          metered.reduce((a, b) => a + b, 0n),
        );
        for (const { lines } of bills) {
          for (const { threshold, used, excess } of lines) {
            if (threshold?.kind !== "allowance") continue;
            const above = BigInt(used) - BigInt(threshold.milliCoreNs);
            expect(excess).toBe(`${above > 0n ? above : 0n}`);
          }
        }
      }
      agent.db.close();
    }),
    { numRuns: 12 },
  );
}, 120_000);

/** A later bill's line of the same states all of it again. */
function placeOf(line: {
  readonly partition: { readonly id: string };
  readonly period: { readonly start: string; readonly end: string };
  readonly threshold: unknown;
  readonly rule: string;
  readonly codeId: string;
}): string {
  const { partition, period, threshold, rule, codeId } = line;
  return JSON.stringify([partition.id, period.start, period.end, threshold, rule, codeId]);
}

async function giveBackAll(agent: World["agent"]): Promise<void> {
  if (listServices(agent.db).length > 0) await returned(agent, { shared: true });
}
