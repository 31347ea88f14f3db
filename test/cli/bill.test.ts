import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { usageExportSchema } from "../../src/billing/export.ts";
import { monthsExport } from "../../src/billing/verify/months.sample.ts";
import { billCsv, billText } from "../../src/cli/bill-text.ts";
import type { Context } from "../../src/cli/context.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";

const folder = makeTempFolder("cli-bill");
afterAll(() => folder.remove());

const path = join(folder.path, "bill.json");
const verify = (...flags: string[]) =>
  runCli(["bill", "verify", path, ...flags], join(folder.path, "config"));

test("a bill that is not what the records say is exit 1, with every finding", async () => {
  writeFileSync(path, "{}");
  const ran = await verify("--without-pins", "--json");
  expect(ran.exitCode).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    bill: path,
    verified: false,
    findings: expect.arrayContaining([expect.objectContaining({ code: "export-malformed" })]),
  });
  const told = await verify("--without-pins");
  expect(told.stdout).toMatch(/^ {2}differs {7}version: .*\(export-malformed\)$/m);
  expect(told.stdout.trimEnd().split("\n").at(-1)).toBe(`${path} is NOT verified`);
});

test("without a login a file is checked by its own keys, and what they do not prove is said", async () => {
  writeFileSync(path, JSON.stringify(monthsExport()));
  const ran = await verify();
  expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ran.stdout).toContain("not provable  the export brings the server's keys itself");
  expect(ran.stdout.trimEnd()).toMatch(/is verified, 50\.57 EUR in 4 bills$/);
  const named = await verify("--as", "nobody");
  expect(named.exitCode).toBe(1);
  expect(named.stderr).toContain("you are not logged in");
});

test("a file that was altered is exit 1 and says where", async () => {
  const text = JSON.stringify(monthsExport()).replace('"number":2', '"number":5');
  writeFileSync(path, text);
  const ran = await verify();
  expect(ran.exitCode).toBe(1);
  expect(ran.stdout).toMatch(/differs {7}bills\[1\]\.number: .*\(bill-number-differs\)/);
  expect(ran.stdout).toContain("(seal-other-document)");
});

test("a bill is shown line by line: what was not charged and why, and what it corrects", () => {
  const [, february, march] =
    usageExportSchema.parse(monthsExport()).leases[0]?.bills.map(({ bill }) => bill) ?? [];
  if (!february || !march) throw new Error("there are four bills");
  const context = { stdout: { isTTY: false }, environment: {} } as unknown as Context;
  const text = billText(context, february);
  expect(text).toContain("number 2 of its lease, interim");
  expect(text).toMatch(/not-delivered: no-answer, process-died at .*; 0\.414474 EUR not charged/);
  expect(text).toMatch(/carried +-0\.003814 EUR[^\n]*\nrounding +0\.001028 EUR\ntotal +31\.29 EUR/);
  expect(text).toContain("records 81 on are missing and asked for again");
  expect(billText(context, march)).toContain("reserved-while-delivered, corrects bill 2");
  const [head, ...rows] = billCsv(march).split("\n");
  expect(rows).toHaveLength(march.lines.length);
  const columns = head?.split(",").length;
  for (const row of rows) expect(row.split(",")).toHaveLength(columns ?? 0);
  expect(rows.at(-1)).toContain(february.billId);
});

test("a file that is no bill at all is refused", async () => {
  writeFileSync(path, "not JSON");
  const ran = await verify("--without-pins");
  expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
  expect(ran.stderr).toContain("is not an exported bill");
});
