import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { capacityClient } from "../../src/agent/capacity/client.ts";
import type { AgentState } from "../../src/agent/show-state.ts";
import { callAgent } from "../../src/agent/socket-client.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { virtualCpuThreads } from "../../src/partition/qemu/cpu-time.ts";
import { guestFolder } from "../../src/partition/qemu/guest-folder.ts";
import { cpuNsOf } from "../../src/partition/qemu/observe.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { createProvider, type Provider } from "../agent/capacity.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { hireJanitor } from "./janitor.ts";
import { processesIn, until } from "./processes.ts";
import { smallLinux } from "./small-linux.ts";
import { newKey } from "./ssh.ts";
import { sublet } from "./sublet.ts";

/** A host without a server. Of its two cores one is in standby; its guests are the owner's own. */
let agent: Daemon;
let key: string;
const temporary = makeTempFolder("capacity");
const folder = temporary.path;
const janitor = hireJanitor(folder);
const data = join(folder, DEMO_PARTS.agent);
const socket = join(data, "agent.sock");
const client = capacityClient(socket);
const provider = createProvider();

const typed = (verb: string, what: string, ...argv: string[]) =>
  sublet([verb, what, "--agent", socket, ...argv], {
    env: { SUBLET_CONFIG: join(folder, DEMO_PARTS.config) },
  });
const inside = async (name: string, line: string) => {
  const ran = await typed("partition", "ssh", name, "--identity", key, "--json", "--", line);
  expect(ran).toMatchObject({ exitCode: 0 });
  return ran.json<{ stdout: string }>().stdout.trim();
};

async function start(name: string, image: string): Promise<void> {
  const keys = ["--ssh-key", `${key}.pub`, "--json"];
  const ran = await typed("partition", "start", name, "--image", image, ...keys);
  expect(ran).toMatchObject({ exitCode: 0 });
}

/** A provider's code for this host, valid now. */
async function codeNow(change: Partial<CapacityCode> = {}, by = provider): Promise<string> {
  const { host } = (await callAgent(socket, "GET", "/v1/state")) as AgentState;
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const validity = { start: at(-60_000), end: at(86_400_000) };
  const billingPeriod = { kind: "fixed" as const, seconds: 86_400, anchor: at(-3_600_000) };
  return by.sign(by.codeFor(host.hostId, { validity, billingPeriod, ...change }));
}

/** Another provider, with one code that ends in a few seconds. */
async function endingCode(change: Partial<CapacityCode>): Promise<string> {
  const other = createProvider();
  await pin(other);
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const validity = { start: at(-60_000), end: at(15_000) };
  return codeNow({ validity, ...change }, other);
}

const pin = ({ cardJws }: Provider) =>
  callAgent(socket, "POST", "/v1/capacity/providers", { cardJws, pin: true });

async function memoryMib(): Promise<number> {
  const said = await inside("p1", "grep MemTotal /proc/meminfo");
  return Math.round(Number(/\d+/.exec(said)?.[0]) / 1024);
}

/** On which cores each virtual cpu of the one guest may run. */
function coresNow(): readonly (string | undefined)[] {
  const [qemu] = processesIn(join(data, "guests")).filter(({ line }) => line.includes("qemu"));
  const pid = qemu?.pid ?? 0;
  const coresOf = (threadId: number) =>
    /Cpus_allowed_list:\s+(\S+)/.exec(
      readFileSync(`/proc/${pid}/task/${threadId}/status`, "utf8"),
    )?.[1];
  return pid === 0 ? [] : virtualCpuThreads(pid).map(({ threadId }) => coresOf(threadId));
}

/** By what a service came back, once it has. */
const meansOf = (serviceId: string | undefined) =>
  until("it is returned", async () => {
    const { acts } = await client.history();
    const act = acts
      .map(({ record }) => record.act)
      .find((one) => one.kind === "service-returned" && one.serviceId === serviceId);
    return act?.kind === "service-returned" ? act : undefined;
  });

/** All records of capacity that the host would hand to the provider. */
async function reported() {
  const { usage } = await client.exportReport(provider.providerId);
  return usage.flatMap((jws) =>
    usageBatchSchema.parse(claimedPayload(jws)).records.map(({ record }) => record),
  );
}

beforeAll(async () => {
  const image = await smallLinux();
  key = await newKey(join(folder, "id"));
  const lent = ["--cores", "0-1", "--memory", "2GiB", "--disk", "4GiB", "--reserve-cpu", "0"];
  const standby = ["--standby-cores", "1", "--standby-memory", "256MiB"];
  agent = createDaemon(
    ["agent", "--data", data, "--alone", "--name", "bunker", ...lent, ...standby],
    join(folder, "agent.log"),
  );
  await agent.start();
  const size = ["--cpu", "1", "--memory", "256MiB", "--disk", "64MiB"];
  expect((await typed("partition", "set", "p1", ...size)).exitCode).toBe(0);
  await start("p1", image);
  await pin(provider);
}, 180_000);

afterAll(async () => {
  await agent.stop();
  await cleanUp(folder);
  temporary.remove();
  janitor.dismiss();
});

// Memory comes first: under emulation it stays as it is once a cpu went out (decision 16).
test.runIf(process.arch === "x64")(
  "a guest gets memory by a code, counts it itself, and gives it back",
  async () => {
    const before = await memoryMib();
    const memory = { resource: "memory", quantity: 2 ** 28 } as const;
    const resourceTime = (BigInt(2 ** 28) * 3600n * 1_000_000_000n).toString();
    const code = await codeNow({ ...memory, resourceTime });
    const done = await client.enable({ code, partition: "p1" });
    expect(done.service).toMatchObject({ state: "in-service", resource: "memory", cores: [] });
    await until("the guest has it", async () =>
      (await memoryMib()) === before + 256 ? 1 : undefined,
    );
    await client.giveBack({ partition: "p1" });
    expect(await memoryMib()).toBe(before);
    expect(await meansOf(done.service?.serviceId)).toMatchObject({ means: null });
  },
  120_000,
);

test.runIf(process.arch === "x64")(
  "a guest counts its cpus before a core is enabled, while it is in service, and after its return",
  async () => {
    expect(await inside("p1", "nproc")).toBe("1");
    const began = performance.now();
    const done = await client.enable({ code: await codeNow(), partition: "p1" });
    expect(done.service).toMatchObject({ state: "in-service", cores: [1] });
    await until("the guest has both", async () =>
      (await inside("p1", "nproc")) === "2" ? 1 : undefined,
    );
    await client.giveBack({ partition: "p1" });
    const tookNs = BigInt(Math.ceil((performance.now() - began) * 1e6));
    expect(await inside("p1", "nproc")).toBe("1");
    const own = (await reported()).filter(
      ({ capacity }) => capacity?.serviceId === done.service?.serviceId,
    );
    const delivered = own.reduce((sum, one) => sum + BigInt(one.deliveredNs), 0n);
    expect(delivered).toBeGreaterThan(0n);
    expect(delivered).toBeLessThan(tookNs);
  },
  120_000,
);

test.runIf(process.arch === "x64")(
  "what waits for a guest's next boot is gone with it",
  async () => {
    // Under emulation a cpu comes again in a new life alone (decision 16).
    expect((await typed("partition", "stop", "p1")).exitCode).toBe(0);
    expect((await typed("partition", "start", "p1")).exitCode).toBe(0);
    const code = await endingCode({ returnMeans: ["next-boot"] });
    const { service } = await client.enable({ code, partition: "p1" });
    expect(service).toMatchObject({ state: "in-service" });
    expect(coresNow()).toEqual(["0", "1"]);
    await until("its code has ended", async () =>
      (await client.show()).services[0]?.means === "next-boot" ? 1 : undefined,
    );
    expect(coresNow()).toEqual(["0", "1"]);
    expect((await typed("partition", "stop", "p1")).exitCode).toBe(0);
    expect(await meansOf(service?.serviceId)).toMatchObject({ means: "next-boot" });
    await callAgent(socket, "POST", "/v1/partitions/p1/guest", {});
    const cores = await until("its next life has begun", async () => {
      const present = coresNow();
      return present.length > 0 ? present : undefined;
    });
    expect(cores).toEqual(["0"]);
  },
  120_000,
);

test("what the records of shared use add up to is what the kernel counted, to the nanosecond", async () => {
  await typed("partition", "wipe", "p1", "--yes");
  await until("the partition is free", () =>
    callAgent(socket, "DELETE", "/v1/partitions/p1").catch(() => undefined),
  );
  const image = await smallLinux();
  const size = ["--cpu", "1", "--shared", "--memory", "256MiB", "--disk", "64MiB"];
  expect((await typed("partition", "set", "p2", ...size)).exitCode).toBe(0);
  await start("p2", image);
  const guests = join(data, "guests");
  const [qemu] = processesIn(guests).filter(({ line }) => line.includes("qemu"));
  const pid = qemu?.pid ?? 0;
  const { guests: own } = (await callAgent(socket, "GET", "/v1/state")) as AgentState;
  const paths = guestFolder(guests, own[0]?.guestId ?? "");
  /** Nothing of the guest runs while this looks, so what it sees is what the agent sees. */
  const stopped = async <T>(look: () => Promise<T>): Promise<T> => {
    process.kill(pid, "SIGSTOP");
    try {
      return await look();
    } finally {
      process.kill(pid, "SIGCONT");
    }
  };
  const before = new Set((await reported()).map(({ chainId }) => chainId));
  const first = await stopped(async () => {
    await client.enable({ code: await codeNow(), shared: true });
    return cpuNsOf(paths, pid);
  });
  await inside("p2", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
  const last = await stopped(async () => {
    await client.billNow();
    return cpuNsOf(paths, pid);
  });
  const records = (await reported()).filter(({ chainId }) => !before.has(chainId));
  const sum = records.reduce((total, { cpuNs }) => total + BigInt(cpuNs), 0n);
  expect(sum).toBe(last - first);
  expect(sum).toBeGreaterThan(0n);
  await client.giveBack({ shared: true });
}, 180_000);
