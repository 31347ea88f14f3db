import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKey } from "../../src/signature/key.ts";
import { makeTempFolder, type TempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";

let server: FakeServer;
let folder: TempFolder;
const cli = (...argv: string[]) => runCli(argv, join(folder.path, "config"));

beforeAll(async () => {
  server = await startFakeServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  folder = makeTempFolder("cli-login");
});
afterEach(() => folder.remove());

describe("login", () => {
  test("stores the key for its owner alone", async () => {
    expect(await cli("login", server.url, "--key", "right")).toMatchObject({ exitCode: 0 });
    const config = join(folder.path, "config");
    expect(statSync(config).mode & 0o777).toBe(0o700);
    expect(statSync(join(config, "profiles")).mode & 0o777).toBe(0o700);
    expect(statSync(join(config, "profiles", "default.json")).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(config, "profiles"))).toEqual(["default.json"]);
  });

  test("prints no key", async () => {
    const ran = await cli("login", server.url, "--key", "right", "--json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ profile: "default", party: { name: "acme" } });
    expect(ran.stdout).not.toContain("right");
  });

  test("with a key that opens nothing stores nothing", async () => {
    const ran = await cli("login", server.url, "--key", "wrong");
    expect(ran).toMatchObject({ exitCode: 1, stderr: "sublet: no valid key was sent\n" });
    expect(await cli("whoami")).toMatchObject({ exitCode: 1 });
  });

  test("under several names keeps them apart", async () => {
    await cli("login", server.url, "--key", "right", "--as", "lender");
    await cli("login", server.url, "--key", "right", "--as", "client");
    const ran = await cli("whoami", "--as", "lender", "--json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ profile: "lender" });
    const undecided = await cli("whoami");
    expect(undecided.exitCode).toBe(1);
    expect(undecided.stderr).toContain("choose one of client, lender with --as");
  });

  test("an only login needs no name", async () => {
    await cli("login", server.url, "--key", "right", "--as", "lender");
    expect(await cli("whoami")).toMatchObject({ exitCode: 0 });
  });

  test("a profile's name cannot leave its folder", async () => {
    const ran = await cli("login", server.url, "--key", "right", "--as", "../../x");
    expect(ran).toMatchObject({ exitCode: 2 });
  });
});

describe("a server whose keys are others than those pinned", () => {
  test("is refused by name before the key is sent, until it is trusted anew", async () => {
    await cli("login", server.url, "--key", "right");
    const before = server.serverKeys;
    server.serverKeys = [generateKey().publicJwk];
    server.requests.length = 0;
    const refused = await cli("account", "show", "--json");
    expect(refused.exitCode).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "server-keys-changed" } });
    expect(server.requests.map(({ path }) => path)).toEqual(["/v1/public/server"]);
    const again = await cli("login", server.url, "--key", "right");
    expect(again.stderr).toContain("--trust-new-keys");
    expect(await cli("login", server.url, "--key", "right", "--trust-new-keys")).toMatchObject({
      exitCode: 0,
    });
    expect(await cli("whoami")).toMatchObject({ exitCode: 0 });
    server.serverKeys = before;
  });

  test("is not one that has only dropped a key", async () => {
    const first = server.serverKeys;
    server.serverKeys = [...first, generateKey().publicJwk];
    await cli("login", server.url, "--key", "right");
    server.serverKeys = first;
    expect(await cli("whoami")).toMatchObject({ exitCode: 0 });
  });
});

test("--server and --key need no login", async () => {
  const ran = await cli("whoami", "--server", server.url, "--key", "right");
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(ran.stdout).toContain("not stored");
});

test("a damaged profile is refused by its path", async () => {
  await cli("login", server.url, "--key", "right");
  const path = join(folder.path, "config", "profiles", "default.json");
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ version: 1 });
  writeFileSync(path, "{");
  expect((await cli("whoami")).stderr).toContain(`${path} cannot be read`);
});
