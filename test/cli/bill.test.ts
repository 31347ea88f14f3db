import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
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

test("without pinned keys a file is checked only when that is said", async () => {
  writeFileSync(path, "{}");
  const ran = await verify();
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr).toContain("or check the file by its own keys with --without-pins");
});

test("a file that is no bill at all is refused", async () => {
  writeFileSync(path, "not JSON");
  const ran = await verify("--without-pins");
  expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
  expect(ran.stderr).toContain("is not an exported bill");
});
