import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultAllowance, excessAdded, milliCoreNs } from "./excess.ts";

const MINUTE_NS = 60_000_000_000n;
const piece = (cpuNs: bigint, elapsedNs: bigint) => ({ cpuNs, elapsedNs });

test("two cores for 15 minutes of an hour are free under half a core's allowance, and cost 22.5 core-minutes under its rate", () => {
  const allowance = {
    kind: "allowance",
    milliCoreNs: defaultAllowance(500, 3_600_000).toString(),
  } as const;
  const rate = { kind: "rate", cpuMilli: 500, intervalSeconds: 60 } as const;
  let [used, byAllowance, byRate] = [0n, 0n, 0n];
  for (let minute = 0; minute < 15; minute++) {
    const one = piece(2n * MINUTE_NS, MINUTE_NS);
    byAllowance += excessAdded(allowance, used, one);
    byRate += excessAdded(rate, used, one);
    used += milliCoreNs(one.cpuNs);
  }
  expect(used).toBe(30n * 1000n * MINUTE_NS);
  expect(byAllowance).toBe(0n);
  expect(byRate).toBe((225n * 1000n * MINUTE_NS) / 10n);
});

test("under an allowance no cutting of the use into pieces changes the excess", () => {
  const parts = fc.array(fc.bigInt({ min: 0n, max: 10_000n }), { maxLength: 30 });
  fc.assert(
    fc.property(parts, fc.bigInt({ min: 1n, max: 100_000_000n }), (cpuNs, milliCore) => {
      const threshold = { kind: "allowance", milliCoreNs: milliCore.toString() } as const;
      let [used, excess] = [0n, 0n];
      for (const one of cpuNs) {
        excess += excessAdded(threshold, used, piece(one, 1n));
        used += milliCoreNs(one);
      }
      expect(excess).toBe(used > milliCore ? used - milliCore : 0n);
    }),
  );
});

test("a longer interval is compared on its average, in the customer's favour", () => {
  const rate = { kind: "rate", cpuMilli: 1000, intervalSeconds: 1 } as const;
  const [busy, idle] = [piece(2_000n, 1_000n), piece(0n, 1_000n)];
  const apart = excessAdded(rate, 0n, busy) + excessAdded(rate, 0n, idle);
  expect(apart).toBe(1_000n * 1_000n);
  expect(excessAdded(rate, 0n, piece(2_000n, 2_000n))).toBe(0n);
});
