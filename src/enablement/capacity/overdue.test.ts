import { expect, test } from "vitest";
import { strictestReporting } from "./overdue.ts";

const VALID = { start: "2027-01-01T00:00:00Z", end: "2027-02-01T00:00:00Z" };
const OVER = { start: "2026-01-01T00:00:00Z", end: "2026-02-01T00:00:00Z" };
const NOW = Date.parse("2027-01-15T00:00:00Z");
const code = (after: number, limit: string, grace: number, validity = VALID) => ({
  reporting: { reportAfterSeconds: after, reportLimit: limit, graceSeconds: grace },
  validity,
});
const reporting = (after: number, limit: string, grace: number) =>
  code(after, limit, grace).reporting;

test("of several codes in force the strictest of each figure counts, as numbers and not as texts", () => {
  const codes = [code(60, "1000", 30), code(600, "999", 300), code(61, "2000", 20)];
  expect(strictestReporting(codes, NOW)).toEqual(reporting(60, "999", 20));
});

test("a code that is over counts no longer, until there is no other", () => {
  const over = code(1, "1", 1, OVER);
  expect(strictestReporting([over, code(60, "1000", 30)], NOW)).toEqual(reporting(60, "1000", 30));
  expect(strictestReporting([over], NOW)).toEqual(reporting(1, "1", 1));
  expect(strictestReporting([], NOW)).toBeNull();
});
