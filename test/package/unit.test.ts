import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { runCli } from "../cli/run-cli.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

const folder = makeTempFolder("unit");
afterAll(() => folder.remove());
/** What a systemd older than the setting says of it: it goes on without. */
const NEWER = /Unknown key (name )?'(RestartSteps|RestartMaxDelaySec|DelegateSubgroup)'/;

async function unitOf(...argv: string[]): Promise<string> {
  const ran = await runCli([...argv, "--print-unit"], folder.path);
  expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  return ran.stdout;
}

async function complaintsAbout(verb: string, unit: string): Promise<string[]> {
  // The unit's own user may not exist on the machine that judges it.
  const path = join(folder.path, `sublet-${verb}.service`);
  writeFileSync(path, unit.replace("User=sublet", "User=daemon"));
  const ran = await promisify(execFile)("systemd-analyze", ["verify", path]).catch(
    (error: { stderr: string; message: string }) => ({ stderr: `${error.message}${error.stderr}` }),
  );
  return ran.stderr.split("\n").filter((line) => line !== "" && !NEWER.test(line));
}

test.each([
  ["server", ["--listen", "0.0.0.0:7070", "--public-url", "https://sublet.example.org"]],
  ["server", ["--data", "/srv/of 100 %/$HOME"]],
  ["agent", ["--cores", "0", "--memory", "1GiB", "--access-address", "192.0.2.7"]],
  ["agent", ["--data", "/home/somebody/agent"]],
])("systemd finds nothing wrong with the unit of the %s with %j", async (verb, options) => {
  expect(await complaintsAbout(verb, await unitOf(verb, ...options))).toEqual([]);
});

test("systemd would find what is wrong", async () => {
  const unit = await unitOf("agent");
  expect(await complaintsAbout("agent", unit.replace("process", "proces"))).not.toEqual([]);
});

test("a unit repeats the options that were typed, and no secret of the first start", async () => {
  const token = "sublet-join.abc";
  const unit = await unitOf("agent", "--join", token, "--cores", "0", `--join=${token}`);
  expect(unit).toMatch(/ agent --data \/var\/lib\/sublet\/agent --cores 0\n/);
  expect(unit).not.toContain(token);
  const server = await unitOf("server", "--new-operator-key", "--data=/srv/x");
  expect(server).toMatch(/ server --data \/srv\/x\n/);
});

test("what restarts or stops the agent leaves everything else of its unit alone", async () => {
  const unit = await unitOf("agent");
  for (const line of [
    ...["Restart=always", "KillMode=process", "OOMPolicy=continue", "Delegate=yes"],
    ...["DelegateSubgroup=agent", "EnvironmentFile=-/etc/sublet/agent.env"],
  ]) {
    expect(unit.split("\n")).toContain(line);
  }
  // Guests live on with the agent's mounts: one that is taken away at its stop would be theirs too.
  expect(unit).not.toMatch(/PrivateTmp|RuntimeDirectory|PrivateDevices|ProtectControlGroups/);
});

test("a stop of the server waits longer than its PostgreSQL is given", async () => {
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(await unitOf("server")) ?? [];
  const postmaster = new URL("../../src/database/embedded/postmaster.ts", import.meta.url);
  const limits = [...readFileSync(postmaster, "utf8").matchAll(/_STOP_MS = ([\d_]+);/g)];
  const limitMs = limits.reduce((sum, [, ms = ""]) => sum + Number(ms.replaceAll("_", "")), 0);
  expect(limitMs).toBeGreaterThan(30_000);
  expect(Number(seconds) * 1000).toBeGreaterThan(limitMs);
});
