import { afterAll, describe, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { runCli } from "./run-cli.ts";

const folder = makeTempFolder("cli-usage");
afterAll(() => folder.remove());

const SEARCH = ["search", "--cpu", "1", "--memory", "256MiB", "--disk", "1GiB"];

describe("wrong usage ends with 2 and a sentence", () => {
  test.each([
    [["leese"], "unknown command 'leese' (Did you mean lease?)"],
    [["lease", "lost"], "unknown command 'lost' (Did you mean list?)"],
    [
      ["lease", "list", "--jsn"],
      "unknown option '--jsn' (Did you mean --json?); see `sublet lease list --help`",
    ],
    [["party", "add", "acme"], "required option '--role <role>' not specified"],
    [["party", "add", "acme", "--role", "king"], "lender, client, provider, operator"],
    [["host", "add"], "missing required argument 'name'"],
    [[...SEARCH, "--os", "x", "--for", "2 hours"], '--for: "2 hours" is not a length of time'],
    [["search", "--cpu", "1,5"], '--cpu: "1,5" is not a number of cores; write it like 2 or 0.5'],
    [["search", "--memory", "512M"], '--memory: "512M" is not an amount of memory'],
    [[...SEARCH, "--os", "x", "--for", "2h", "--max-price", "1e3"], '--max-price: "1e3" is not'],
    [[...SEARCH, "--os", "x", "--for", "2h", "--start", "tomorrow"], '"tomorrow" is not a time'],
    [["account", "deposit", "acme", "-5"], 'amount: "-5" is not an amount of money'],
    [["account", "deposit", "acme", "1.2345678"], 'amount: "1.2345678" is not an amount of money'],
    [["lease", "show", "lease_1"], '"lease_1" is not the id of a lease'],
    [["key", "revoke", "lease_0000000000000000000000"], "is not the id of a key"],
    [["partition", "set", "attic", "guest", "--shared", "--dedicated"], "cannot be used with"],
    [["partition", "set", "guest", "--cpu", "1"], "say which host and partition"],
    [["server", "--listen", "7070"], '"7070" is not where to listen'],
    [["server", "--fee", "101"], '--fee: "101" is not a percentage'],
    [["server", "--time-zone", "Mars/Base"], '"Mars/Base" is not a time zone'],
    [["server", "--currency", "euro"], '"euro" is not a currency'],
    [["agent", "--cores", "all"], '--cores: "all" is not a list of cores; write it like 0-3,5'],
    [["login", "example.org", "--key", "k"], 'url: "example.org" is not the address of a server'],
    [["cp", "a", "b"], "one side, and one only, is in a lease"],
    [["whoami", "--server", "http://127.0.0.1:1"], "--server also needs --key"],
    [["whoami", "--key", "k"], "--key also needs --server"],
    [["lease", "list", "--limit", "1000"], '--limit: "1000" is not a number from 1 to 200'],
  ])("%j", async (argv, sentence) => {
    const ran = await runCli(argv, folder.path);
    expect(ran.stderr).toMatch(/^sublet: [^\n]+\n$/);
    expect(ran.stderr).toContain(sentence);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("a group without a verb shows its help as an error", async () => {
    const ran = await runCli(["lease"], folder.path);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toContain("Usage: sublet lease");
  });
});

describe("failures of run and ssh end with 255, since other codes are the command's", () => {
  test.each([
    [["run", "uname"], "say where to run it with --lease ID; book a lease first with"],
    [["run", "--lese", "x", "uname"], "unknown option '--lese'"],
    [["run", "--lease", "x", "uname", "-a"], '"x" is not the id of a lease'],
    [["ssh", "x"], '"x" is not the id of a lease'],
    [["ssh", "--json", "x"], "--json needs a command"],
  ])("%j", async (argv, sentence) => {
    const ran = await runCli(argv, folder.path);
    expect(ran.exitCode).toBe(255);
    expect(ran.stdout + ran.stderr).toContain(sentence);
  });
});

describe("with --json a failure is one document on stdout", () => {
  test.each([
    [["search", "--cpu", "x", "--json"], 2, "wrong-usage"],
    [["--json", "lease"], 2, "wrong-usage"],
    [["leese", "--json"], 2, "wrong-usage"],
    [["whoami", "--json"], 1, "not-logged-in"],
    [["--json", "whoami", "--as", "nobody"], 1, "not-logged-in"],
    [["run", "--json", "uname"], 255, "lease-needed"],
    [["bill", "verify", "missing.json", "--json"], 1, "no-bill"],
  ])("%j", async (argv, exitCode, code) => {
    const ran = await runCli(argv, folder.path);
    expect(ran.exitCode).toBe(exitCode);
    const { error } = JSON.parse(ran.stdout) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code, about: expect.any(Object) });
    expect(error.message).toEqual(expect.any(String));
    expect(ran.stderr === "" || ran.stderr.startsWith("Usage:")).toBe(true);
  });
});

describe("what the design has and this version has not is refused by name", () => {
  test.each([
    [["capacity", "enable", "--cpu", "2"], "`sublet capacity enable` is not in this version"],
    [["account", "statement"], "`sublet account statement` is not in this version"],
    [["usage", "export", "lease_1"], "`sublet usage export` is not in this version"],
    [["backup"], "`sublet backup` is not in this version"],
    [["completion"], "`sublet completion` is not in this version"],
  ])("%j", async (argv, sentence) => {
    const ran = await runCli(argv, folder.path);
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain(sentence);
    const told = await runCli([...argv, "--json"], folder.path);
    expect(JSON.parse(told.stdout)).toMatchObject({ error: { code: "not-in-this-version" } });
  });
});
