import { expect, test } from "vitest";
import { decidingOf, HOUR_MS, heldFor, lentCode, NOW, openingOf, SIZE } from "./opening.sample.ts";
import { decideOpening } from "./opening.ts";
import { lentDuring } from "./standby.ts";

const during = { start: NOW, end: new Date(NOW.getTime() + HOUR_MS) };
const full = { held: [heldFor(SIZE(15), -1, 1000)], lent: [lentCode()] };

test("time on the pool is of the base alone", () => {
  const size = SIZE(3);
  expect(decideOpening(decidingOf({ size }), openingOf(full)).ok).toBe(true);
  const shared = openingOf({ ...full, partition: { cpuMode: "shared" } });
  const decision = decideOpening(decidingOf({ size, cpuMode: "shared" }), shared);
  expect(decision).toMatchObject({ ok: false, reasons: [{ code: "capacity-short" }] });
});

test("several codes give no more than is installed, beside what others have of it", () => {
  const lent = [lentCode({ at: 0, steps: 3 }), lentCode({ at: 1, steps: 3 })];
  const [first] = lent.map(({ codeId }) => ({ codeId, resource: "cpu" as const, quantity: 1000 }));
  const held = first ? [{ ...heldFor(SIZE(2), 0, 2), standby: [first] }] : [];
  const quantities = (left: ReturnType<typeof lentDuring>) => left.map(({ quantity }) => quantity);
  expect(quantities(lentDuring(lent, SIZE(4), [], during))).toEqual([3000, 1000]);
  expect(quantities(lentDuring(lent, SIZE(4), held, during))).toEqual([2000, 1000]);
  expect(quantities(lentDuring(lent, SIZE(9), held, during))).toEqual([2000, 3000]);
});

test("a code without resource-time leaves what is installed to the next", () => {
  const lent = [lentCode({ at: 0, hours: 0.5 }), lentCode({ at: 1, steps: 2 })];
  const left = lentDuring(lent, SIZE(2), [], during);
  expect(left.map(({ quantity }) => quantity)).toEqual([0, 2000]);
});
