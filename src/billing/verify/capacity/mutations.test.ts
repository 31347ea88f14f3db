import { expect, test } from "vitest";
import { verifyBill } from "../verify-bill.ts";
import { capacityExport } from "./export.sample.ts";
import { CAPACITY_MUTATIONS } from "./mutations.sample.ts";

test("the sample of capacity is honest before it is bent", () => {
  const { verified, findings, bills } = verifyBill(capacityExport());
  expect(findings.filter(({ severity }) => severity === "differs")).toEqual([]);
  expect(verified).toBe(true);
  expect(bills.map(({ kind }) => kind)).toEqual(["capacity", "capacity"]);
});

test.each(CAPACITY_MUTATIONS)("of a capacity bill, %s is found", (_name, bend, code) => {
  const { verified, findings } = verifyBill(capacityExport(bend));
  expect(findings.map((finding) => finding.code)).toContain(code);
  expect(verified).toBe(false);
});

test("seventy exports of capacity are mutilated, each in its own way", () => {
  const names = CAPACITY_MUTATIONS.map(([name]) => name);
  expect(names.length).toBeGreaterThan(70);
  expect(new Set(names).size).toBe(names.length);
});
