import fc from "fast-check";
import { expect, test } from "vitest";
import { newId } from "../../unit/id.ts";
import {
  type CodeAccount,
  draw,
  inForce,
  leftOf,
  quantityInForce,
  runsOutInNs,
} from "./account.ts";
import { reserveTime } from "./reserve.ts";

const provider = newId("party");
const account = (change: Partial<CodeAccount>): CodeAccount => ({
  codeId: newId("code"),
  providerId: provider,
  resource: "cpu",
  quantity: 1000,
  resourceTime: 1_000n,
  debited: 0n,
  validFromMs: 0,
  validUntilMs: 1_000,
  ...change,
});

test("the code that expires first is used first, each to its end", () => {
  const late = account({ validUntilMs: 900 });
  const early = account({ validUntilMs: 500, debited: 400n });
  expect(draw([late, early], 10, 1_000n)).toEqual({
    debits: [
      { codeId: early.codeId, quantity: 600n },
      { codeId: late.codeId, quantity: 400n },
    ],
    overdraft: 0n,
  });
});

test("what no code is left for is overdraft", () => {
  expect(draw([account({})], 10, 1_500n).overdraft).toBe(500n);
  expect(draw([account({ validUntilMs: 5 })], 10, 7n)).toEqual({ debits: [], overdraft: 7n });
  expect(draw([account({ validFromMs: 11 })], 10, 7n)).toEqual({ debits: [], overdraft: 7n });
});

test("what is reserved for it is taken first, and what is reserved for others not at all", () => {
  const early = account({ validUntilMs: 500, reserved: 600n });
  const late = account({ validUntilMs: 900, own: 300n, reserved: 100n });
  expect(draw([early, late], 10, 1_500n)).toEqual({
    debits: [
      { codeId: late.codeId, quantity: 900n },
      { codeId: early.codeId, quantity: 400n },
    ],
    overdraft: 200n,
  });
  expect(draw([early, late], 10, 350n).debits).toEqual([
    { codeId: late.codeId, quantity: 300n },
    { codeId: early.codeId, quantity: 50n },
  ]);
  expect(inForce([account({ reserved: 1_000n })], 10)).toEqual([]);
});

test("time is reserved from codes that are valid for all of it, or not at all", () => {
  const short = account({ validUntilMs: 499 });
  const early = account({ validUntilMs: 500, debited: 300n });
  const late = account({ validUntilMs: 900, reserved: 500n });
  const wish = { quantity: 1000, needed: 900n, fromMs: 10, untilMs: 500 };
  expect(reserveTime([short, late, early], wish)).toEqual({
    ok: true,
    parts: [
      { codeId: early.codeId, quantity: 700n },
      { codeId: late.codeId, quantity: 200n },
    ],
  });
  const beyond = reserveTime([short, late, early], { ...wish, needed: 1_201n });
  expect(beyond).toEqual({ ok: false, left: 1_200n, atOnce: 2000 });
  expect(reserveTime([late, early], { ...wish, quantity: 2001 })).toMatchObject({ ok: false });
  expect(reserveTime([account({ validFromMs: 11 })], wish)).toMatchObject({ left: 0n });
});

test("a second code adds to what may be in service", () => {
  expect(quantityInForce([account({}), account({ quantity: 2000 })], 10)).toBe(3000);
  expect(quantityInForce([account({}), account({ debited: 1_000n })], 10)).toBe(1000);
});

test("debits and overdraft add up to what was used, and no code gives more than it had", () => {
  const accounts = fc.array(
    fc.record({
      debited: fc.bigInt({ min: 0n, max: 2_000n }),
      resourceTime: fc.bigInt({ min: 1n, max: 1_500n }),
      validUntilMs: fc.nat({ max: 20 }),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(accounts, fc.bigInt({ min: 0n, max: 5_000n }), (changes, amount) => {
      const all = changes.map((change) => account(change));
      const { debits, overdraft } = draw(all, 10, amount);
      expect(debits.reduce((sum, { quantity }) => sum + quantity, overdraft)).toBe(amount);
      for (const { codeId, quantity } of debits) {
        const from = all.find((one) => one.codeId === codeId);
        expect(from !== undefined && quantity > 0n && quantity <= leftOf(from)).toBe(true);
      }
      if (overdraft > 0n) {
        const had = inForce(all, 10).reduce((sum, one) => sum + leftOf(one), 0n);
        expect(amount - overdraft).toBe(had);
      }
    }),
  );
});

test("when it runs out is told from what is in service", () => {
  const second = 1_000_000_000n;
  const one = account({ resourceTime: 1000n * 60n * second, validUntilMs: 3_600_000 });
  expect(runsOutInNs([one], 0, 1000)).toBe(60n * second);
  expect(runsOutInNs([one], 0, 2000)).toBe(30n * second);
  expect(runsOutInNs([{ ...one, validUntilMs: 10_000 }], 0, 1000)).toBe(10n * second);
  expect(runsOutInNs([one], 0, 0)).toBe(null);
});
