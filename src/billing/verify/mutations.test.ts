import { expect, test } from "vitest";
import { BILL_MUTATIONS } from "./bill-mutations.sample.ts";
import { CAPACITY_MUTATIONS } from "./capacity/mutations.sample.ts";
import { PAUSE_MUTATIONS } from "./capacity/pauses.sample.ts";
import { sampleExport } from "./export.sample.ts";
import { FINDINGS, type FindingCode } from "./finding.ts";
import { HOST_MUTATIONS } from "./host-mutations.sample.ts";
import { MONTH_MUTATIONS } from "./month-mutations.sample.ts";
import { monthsExport } from "./months.sample.ts";
import { record3 } from "./mutation.sample.ts";
import { RECORD_MUTATIONS } from "./record-mutations.sample.ts";
import { SERVER_MUTATIONS } from "./server-mutations.sample.ts";
import { verifyBill } from "./verify-bill.ts";

const MUTATIONS = [...SERVER_MUTATIONS, ...HOST_MUTATIONS, ...RECORD_MUTATIONS, ...BILL_MUTATIONS];

const findsIn = (exported: unknown, code: FindingCode) => {
  const { verified, findings } = verifyBill(exported);
  expect(findings.map((finding) => finding.code)).toContain(code);
  expect(verified).toBe(false);
  for (const { message, where } of findings) {
    expect(message).not.toBe("");
    expect(where).not.toBe("");
  }
};

test.each(MUTATIONS)("%s is found", (_name, bend, code) => findsIn(sampleExport(bend), code));

test.each(MONTH_MUTATIONS)("in several bills of a lease, %s is found", (_name, bend, code) =>
  findsIn(monthsExport(bend), code),
);

test("a hundred exports and more are mutilated, each in its own way", () => {
  const names = [...MUTATIONS, ...MONTH_MUTATIONS].map(([name]) => name);
  expect(names.length).toBeGreaterThan(150);
  expect(new Set(names).size).toBe(names.length);
});

test("every way in which an export can differ has a mutation that shows it", () => {
  const all = [...MUTATIONS, ...MONTH_MUTATIONS, ...CAPACITY_MUTATIONS, ...PAUSE_MUTATIONS];
  const shown = new Set<string>(all.map(([, , code]) => code));
  const unshown = Object.entries(FINDINGS)
    .filter(([code, severity]) => severity === "differs" && !shown.has(code))
    .map(([code]) => code);
  expect(unshown).toEqual([]);
});

test("the sample is honest before it is bent", () => {
  expect(verifyBill(sampleExport()).verified).toBe(true);
  expect(verifyBill(sampleExport(record3(() => ({})))).verified).toBe(true);
  expect(verifyBill(sampleExport({ cpuMode: "shared" })).verified).toBe(true);
  expect(verifyBill(monthsExport()).verified).toBe(true);
});
