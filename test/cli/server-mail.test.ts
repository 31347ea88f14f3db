import { afterAll, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";

const folder = makeTempFolder("cli-server-mail");
afterAll(() => folder.remove());

const server = (...argv: string[]) =>
  runCli(["server", "--data", folder.path, ...argv], folder.path);

test("a mail server's password is not typed, where every user of the computer would see it", async () => {
  const ran = await server("--smtp", "smtp://robot:geheim@mail.example.org", "--mail-from", "a@b");
  expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
  expect(ran.stderr).toContain("--smtp-file FILE or SUBLET_SMTP");
  expect(ran.stderr).not.toContain("geheim");
});

test("mail without a sender, or from a file that is not there, starts no server", async () => {
  const missing = await server("--smtp-file", "/nowhere/smtp", "--mail-from", "a@b.example");
  expect(missing.exitCode).not.toBe(0);
  expect(missing.stderr).toContain("/nowhere/smtp is not there");
  const ran = await server("--smtp", "smtp://mail.example.org");
  expect(ran.exitCode).not.toBe(0);
  expect(ran.stderr).toContain("give one with --mail-from");
});
