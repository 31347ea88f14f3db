import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OwnGuestView } from "../../src/agent/own/show.ts";
import type { AgentState } from "../../src/agent/show-state.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import { commandLine } from "../../src/partition/qemu/process-table.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { hireJanitor } from "./janitor.ts";
import { end, processesIn, until } from "./processes.ts";
import { smallLinux } from "./small-linux.ts";
import { newKey } from "./ssh.ts";
import { inNetworkOf, type Ran, sublet } from "./sublet.ts";

/**
 * A host without a server and without a network: agent, guests and commands live in a network
 * namespace that has loopback alone. Of its two cores one is in standby.
 */
let image: string;
let agent: Daemon;
let socket: string;
let key: string;
const temporary = makeTempFolder("own-guests");
const folder = temporary.path;
const janitor = hireJanitor(folder);
/** Keeps the namespace while agents come and go. */
const network = spawn("unshare", [
  ...["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
]);

const typed = (argv: readonly string[]): Promise<Ran> =>
  sublet(argv, {
    env: { SUBLET_CONFIG: join(folder, DEMO_PARTS.config) },
    networkOf: network.pid ?? 0,
  });
const run = (...argv: string[]) => typed([...argv, "--agent", socket]);
const state = async () => (await run("host", "show", "--json")).json<AgentState>();
/** A line for the guest's shell; `--json` gives what it said and its exit code. */
const guestSsh = async (line: string) => {
  const flags = ["--agent", socket, "--identity", key, "--json"];
  const ran = await typed(["partition", "ssh", "p1", ...flags, "--", line]);
  return ran.json<{ exitCode: number; stdout: string; stderr: string }>();
};
const qemu = () => {
  const found = processesIn(join(folder, DEMO_PARTS.agent, "guests"));
  return found.filter(({ line }) => line.includes("qemu"));
};

beforeAll(async () => {
  await once(network.stdout, "data");
  image = await smallLinux();
  key = await newKey(join(folder, "id"));
  const data = join(folder, DEMO_PARTS.agent);
  socket = join(data, "agent.sock");
  const lent = ["--cores", "0-1", "--memory", "2GiB", "--disk", "4GiB"];
  const standby = ["--standby-cores", "1", "--standby-memory", "512MiB"];
  agent = createDaemon(
    ["agent", "--data", data, "--alone", "--name", "bunker", ...lent, ...standby],
    join(folder, "agent.log"),
    inNetworkOf(network.pid ?? 0),
  );
  await agent.start();
});
afterAll(async () => {
  await agent.stop();
  await cleanUp(folder);
  temporary.remove();
  janitor.dismiss();
  network.stdin.end();
});

test("an agent alone, without any network, cuts a partition and runs its owner's guest there", async () => {
  const size = ["--cpu", "0.5", "--shared", "--memory", "256MiB", "--disk", "64MiB"];
  expect((await run("partition", "set", "p1", ...size)).exitCode).toBe(0);
  const started = await run(
    ...["partition", "start", "p1", "--image", image, "--ssh-key", `${key}.pub`, "--json"],
  );
  expect(started.json<OwnGuestView>()).toMatchObject({ state: "running", partition: "p1" });
  expect(await guestSsh("echo kept > /data/word && sync")).toMatchObject({ exitCode: 0 });
  expect((await guestSsh("uname")).stdout).toBe("Linux\n");
});

test("nothing of the standby is the guest's, and its machine has room for it", async () => {
  const [found] = qemu();
  if (found === undefined) throw new Error("the guest's process is not there");
  for (const thread of readdirSync(`/proc/${found.pid}/task`)) {
    expect(coresOf(found.pid, thread)).toBe("0");
  }
  const line = commandLine(found.pid).join(" ");
  expect(line).toMatch(/-smp 1,maxcpus=2 /);
  expect(line).toMatch(/-m 262144K,slots=\d+,maxmem=786432K /);
  const memory = await guestSsh("grep MemTotal /proc/meminfo");
  expect(Number(/\d+/.exec(memory.stdout)?.[0])).toBeLessThan(262_144);
  expect((await state()).host.capacity).toMatchObject({
    base: { cpuMilli: 750 },
    standby: { cpuMilli: 1000, memoryBytes: 512 * 2 ** 20 },
    facts: { cores: [0, 1], standbyCores: [1] },
  });
});

test("an agent that is killed and started again finds the guest, its process and its way in", async () => {
  const before = qemu().map(({ pid }) => pid);
  await agent.kill();
  await agent.start();
  expect((await state()).guests).toMatchObject([{ state: "running" }]);
  expect(qemu().map(({ pid }) => pid)).toEqual(before);
  expect((await guestSsh("cat /data/word")).stdout).toBe("kept\n");
});

test("a guest whose process dies is booted again on its disk", async () => {
  const [before] = qemu();
  end(before?.pid ?? 0);
  await until("the guest is there again", async () => {
    const [guest] = (await state()).guests;
    const [now] = qemu();
    const isAnother = now !== undefined && now.pid !== before?.pid;
    return isAnother && guest?.state === "running" ? true : undefined;
  });
  expect((await guestSsh("cat /data/word")).stdout).toBe("kept\n");
});

test("a guest that is stopped has no process, and starts with its disk and way in as they were", async () => {
  const { access } = (await state()).guests[0] ?? {};
  expect((await run("partition", "stop", "p1", "--json")).json()).toMatchObject({ state: "off" });
  expect(qemu()).toEqual([]);
  const again = await run("partition", "start", "p1", "--json");
  expect(again.json()).toMatchObject({ state: "running", access });
  expect((await guestSsh("cat /data/word")).stdout).toBe("kept\n");
  expect((await run("partition", "console", "p1")).stdout).not.toBe("");
});

test("a wipe asks first, and then leaves nothing of the guest", async () => {
  const asked = await run("partition", "wipe", "p1", "--json");
  expect(asked.error().code).toBe("confirmation-needed");
  expect((await run("partition", "remove", "p1", "--json")).error().code).toBe(
    "partition-has-guest",
  );
  expect((await run("partition", "wipe", "p1", "--yes")).exitCode).toBe(0);
  expect(qemu()).toEqual([]);
  const guests = join(folder, DEMO_PARTS.agent, "guests");
  expect(existsSync(guests) ? readdirSync(guests) : []).toEqual([]);
  expect((await run("partition", "remove", "p1")).exitCode).toBe(0);
  expect((await state()).partitions).toEqual([]);
});

function coresOf(pid: number, thread: string): string {
  const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
  return /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? "";
}
