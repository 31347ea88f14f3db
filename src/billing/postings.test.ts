import fc from "fast-check";
import { expect, test } from "vitest";
import { anyRecords, anyTariff, sampleBillInput } from "./bill.sample.ts";
import { makeBill } from "./make-bill.ts";
import { postingsOfBill } from "./postings.ts";

const bill = (sum: bigint, total: bigint) => ({
  sumMicros: sum.toString(),
  totalMicros: total.toString(),
  remainderMicros: (sum - total).toString(),
});

const fee = (operatorFeePpm: number) => ({ operatorFeePpm });

test("the client pays the total, the lender earns the sum less the fee, the rest is the operator's", () => {
  expect(postingsOfBill(bill(69_078n, 70_000n), fee(50_000))).toEqual([
    { account: "funds", partyRole: "client", amountMicros: -70_000n },
    { account: "earnings", partyRole: "lender", amountMicros: 65_624n },
    { account: "fee", partyRole: "operator", amountMicros: 3_454n },
    { account: "rounding", partyRole: "operator", amountMicros: 922n },
  ]);
});

test.each<[string, bigint, bigint, number, string[]]>([
  ["nothing at all", 0n, 0n, 50_000, []],
  ["no fee", 10_000n, 10_000n, 0, ["funds", "earnings"]],
  ["all of it a fee", 10_000n, 10_000n, 1_000_000, ["funds", "fee"]],
  ["rounded down to nothing", 4_999n, 0n, 0, ["earnings", "rounding"]],
])("%s: zero entries are left out", (_name, sum, total, feePpm, accounts) => {
  expect(postingsOfBill(bill(sum, total), fee(feePpm)).map(({ account }) => account)).toEqual(
    accounts,
  );
});

test("a bill whose parts disagree is not posted", () => {
  const wrong = { ...bill(10_000n, 10_000n), remainderMicros: "1" };
  expect(() => postingsOfBill(wrong, fee(0))).toThrow(/disagree/);
});

test("any bill balances", () => {
  fc.assert(
    fc.property(anyTariff, anyRecords("grant"), (tariff, records) => {
      const made = makeBill({ ...sampleBillInput(records), tariff });
      const postings = postingsOfBill(made, tariff);
      expect(postings.reduce((sum, { amountMicros }) => sum + amountMicros, 0n)).toBe(0n);
      for (const { account, amountMicros } of postings) {
        expect(amountMicros).not.toBe(0n);
        if (account === "funds") expect(amountMicros).toBeLessThan(0n);
        if (account === "earnings" || account === "fee") expect(amountMicros).toBeGreaterThan(0n);
      }
    }),
  );
});

test("a bill of the opposite sum moves the opposite, so a correction gives back its part of the fee", () => {
  const amount = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n });
  fc.assert(
    fc.property(amount, amount, fc.integer({ min: 0, max: 1_000_000 }), (sum, total, feePpm) => {
      const there = postingsOfBill(bill(sum, total), fee(feePpm));
      const back = postingsOfBill(bill(-sum, -total), fee(feePpm));
      expect(back).toEqual(
        there.map((posting) => ({ ...posting, amountMicros: -posting.amountMicros })),
      );
      expect(there.reduce((all, { amountMicros }) => all + amountMicros, 0n)).toBe(0n);
    }),
  );
});
