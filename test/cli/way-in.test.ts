import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey, type SigningKey } from "../../src/signature/key.ts";
import { canonicalJson } from "../../src/unit/canonical.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { accessOf, id, leaseOf } from "./shapes.ts";

const leaseId = id("lease");
const access = accessOf(leaseId);
const agentKey = generateKey();
const folder = makeTempFolder("cli-way-in");
const knownHosts = join(folder.path, "leases", leaseId, "known_hosts");
const pinned = join(folder.path, "hosts", `${access.hostId}.json`);
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
  rmSync(pinned, { force: true });
  shown = {
    ...{ state: "ready", access, accessJws: sign("sublet-access", access, agentKey) },
    agentKeys: [{ jwk: { ...agentKey.publicJwk }, rotationJws: null }],
  };
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

const signedBy = (key: SigningKey, said = access) => ({
  access: said,
  accessJws: sign("sublet-access", said, key),
});
const letIn = (by: SigningKey, next: SigningKey, iss = access.hostId) => ({
  jwk: { ...next.publicJwk },
  rotationJws: sign(
    "sublet-key-rotation",
    { iss, aud: "server-1", issuedAt: new Date().toISOString(), newJwk: { ...next.publicJwk } },
    by,
  ),
});

test("a server that lies about the guest's key is caught: it has not the agent's", async () => {
  const guests = { ...access, hostKey: `ssh-ed25519 ${"C".repeat(68)}` };
  const liar = generateKey();
  // It keeps the agent's key, and has no signature by it.
  shown = { ...shown, ...signedBy(agentKey), access: guests };
  expect(JSON.parse((await runUname()).stdout)).toMatchObject(refused("access-differs"));
  const [header, , signature] = sign("sublet-access", access, agentKey).split(".");
  const payload = Buffer.from(canonicalJson(guests)).toString("base64url");
  shown = { ...shown, access: guests, accessJws: [header, payload, signature].join(".") };
  expect(JSON.parse((await runUname()).stdout)).toMatchObject(refused("access-differs"));
  shown = { ...shown, ...signedBy(liar, guests) };
  expect(JSON.parse((await runUname()).stdout)).toMatchObject(refused("agent-key-changed"));
  expect(existsSync(pinned)).toBe(false);
});

test("the agent's key is pinned at the first use, and only its own word lets another in", async () => {
  expect((await runUname()).exitCode).toBe(7);
  expect(statSync(pinned).mode & 0o777).toBe(0o600);
  const [liar, second, third] = [generateKey(), generateKey(), generateKey()];
  const changed = async (keys: LeaseView["agentKeys"], key: SigningKey) => {
    shown = { ...shown, ...signedBy(key), agentKeys: keys };
    const { stdout } = await runUname();
    return JSON.parse(stdout).error?.code ?? "done";
  };
  const first = { jwk: { ...agentKey.publicJwk }, rotationJws: null };
  expect(await changed([{ jwk: { ...liar.publicJwk }, rotationJws: null }], liar)).toBe(
    "agent-key-changed",
  );
  expect(await changed([first, letIn(liar, liar)], liar)).toBe("agent-key-changed");
  const others = letIn(agentKey, liar, id("host", "1"));
  expect(await changed([first, others], liar)).toBe("agent-key-changed");
  // Two rotations while this client was away.
  const chain = [first, letIn(agentKey, second), letIn(second, third)];
  expect(await changed(chain, third)).toBe("done");
  // A lease from before them goes on under its own key.
  expect(await changed(chain, agentKey)).toBe("done");
  expect(JSON.parse(readFileSync(pinned, "utf8")).keys).toHaveLength(3);

  writeFileSync(pinned, "{");
  expect(await changed(chain, third)).toBe("pinned-keys-damaged");
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
