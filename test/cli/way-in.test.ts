import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { accessOf, id, leaseOf } from "./shapes.ts";

const leaseId = id("lease");
const access = accessOf(leaseId);
const agentKey = generateKey();
const folder = makeTempFolder("cli-way-in");
const knownHosts = join(folder.path, "leases", leaseId, "known_hosts");
let server: FakeServer;
let shown: Partial<LeaseView>;

beforeAll(async () => {
  server = await startFakeServer();
  server.routes["GET /v1/leases/*"] = () => ({
    json: { lease: leaseOf({ leaseId, ...shown }), events: [] },
  });
  mkdirSync(join(folder.path, "ssh", "default"), { recursive: true });
  writeFileSync(join(folder.path, "ssh", "default", "id_ed25519"), "a key");
  mkdirSync(join(folder.path, "ssh", "x"), { recursive: true });
  writeFileSync(join(folder.path, "ssh", "x", "id_ed25519"), "a key");
  // In place of OpenSSH: tells its arguments, and ends as it is told to.
  writeFileSync(
    join(folder.path, "ssh.sh"),
    '#!/bin/sh\nfor a in "$@"; do echo "$a"; done\nexit 7\n',
  );
  const bin = join(folder.path, "bin");
  mkdirSync(bin);
  for (const name of ["ssh", "scp"]) {
    writeFileSync(join(bin, name), readFileSync(join(folder.path, "ssh.sh")));
    chmodSync(join(bin, name), 0o755);
  }
  process.env.PATH = `${bin}:${process.env.PATH}`;
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  shown = { state: "ready", access, accessJws: sign("sublet-access", access, agentKey) };
});

const cli = (...argv: string[]) => runCli(argv, folder.path, { server: server.url, key: "right" });
const runUname = () => cli("run", "--lease", leaseId, "--json", "--", "uname", "-a");
const refused = (code: string) => ({ error: { code } });

test("the guest's key is pinned under the lease's name, and the command's exit code returned", async () => {
  const ran = await runUname();
  expect(ran.exitCode).toBe(7);
  const told = JSON.parse(ran.stdout);
  expect(told).toMatchObject({ leaseId, command: ["uname", "-a"], exitCode: 7, stderr: "" });
  expect(told.stdout.split("\n")).toContain(`UserKnownHostsFile="${knownHosts}"`);
  expect(readFileSync(knownHosts, "utf8")).toBe(`${leaseId} ${access.hostKey}\n`);
  expect(statSync(knownHosts).mode & 0o777).toBe(0o600);
});

test("flags of ours behind the lease are ours, and those behind -- the command's", async () => {
  // Nobody is logged in by that name, so it was ours.
  const asked = await cli("ssh", leaseId, "--json", "--as", "x", "--", "env");
  expect(JSON.parse(asked.stdout)).toMatchObject(refused("not-logged-in"));
  const own = join(folder.path, "ssh", "x", "id_ed25519");
  const ran = await cli("ssh", leaseId, `--identity=${own}`, "--json", "--", "env", "--as", "y");
  expect(JSON.parse(ran.stdout)).toMatchObject({ command: ["env", "--as", "y"], exitCode: 7 });
  expect(JSON.parse(ran.stdout).stdout).toContain(`IdentityFile="${own}"`);

  const late = await cli("run", "uname", "-a", "--lease", leaseId, "--json");
  expect(JSON.parse(late.stdout)).toMatchObject({ leaseId, command: ["uname", "-a"] });
  const theirs = await cli("run", "--lease", leaseId, "--json", "--", "uname", "--json", "--help");
  expect(JSON.parse(theirs.stdout).command).toEqual(["uname", "--json", "--help"]);

  expect((await cli("ssh", leaseId, "--help")).stdout).toContain("Usage: sublet ssh");
  const unknown = await cli("ssh", leaseId, "--ass", "x");
  expect(unknown).toMatchObject({ exitCode: 255, stdout: "" });
  expect(unknown.stderr).toContain("unknown option '--ass'");
  expect((await cli("ssh", leaseId, "ls", "--as")).stderr).toContain("argument missing");
});

test("another key later is refused by name", async () => {
  await runUname();
  const other = { ...access, hostKey: `ssh-ed25519 ${"B".repeat(68)}` };
  shown = { ...shown, access: other, accessJws: sign("sublet-access", other, agentKey) };
  const ran = await runUname();
  expect(ran.exitCode).toBe(255);
  expect(JSON.parse(ran.stdout)).toMatchObject(refused("host-key-changed"));
});

test("an access that is not what the host signed is refused", async () => {
  shown = { ...shown, access: { ...access, port: 4444 } };
  const ran = await runUname();
  expect(ran.exitCode).toBe(255);
  expect(JSON.parse(ran.stdout)).toMatchObject(refused("access-differs"));
});

test("an access that was signed for another lease is refused", async () => {
  const other = accessOf(id("lease", "1"));
  shown = { ...shown, access: other, accessJws: sign("sublet-access", other, agentKey) };
  expect(JSON.parse((await runUname()).stdout)).toMatchObject(refused("access-differs"));
});

test("a lease that is not ready has no way in", async () => {
  shown = { state: "preparing" };
  const ran = await cli("ssh", leaseId, "--", "true");
  expect(ran).toMatchObject({ exitCode: 255, stdout: "" });
  expect(ran.stderr).toContain(`${leaseId} is preparing, there is no way in yet`);
});

test("a private key that is not here is asked for", async () => {
  const argv = ["run", "--lease", leaseId, "--json", "true"];
  const environment = { server: server.url, key: "right", profile: "other" };
  const { stdout } = await runCli(argv, folder.path, environment);
  expect(JSON.parse(stdout)).toMatchObject(refused("ssh-key-missing"));
});

test("a copy that fails is a failure by 1", async () => {
  const ran = await cli("cp", "--json", "a", `${leaseId}:b`);
  expect(ran.exitCode).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject(refused("copy-failed"));
});
