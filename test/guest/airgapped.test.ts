import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ShownCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentState } from "../../src/agent/show-state.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import type { CapacityBill } from "../../src/billing/capacity/bill.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import type { ReportFile } from "../../src/enablement/capacity/report-file.ts";
import type { UsageBatch } from "../../src/meter/record.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { frozen } from "./frozen.ts";
import { type Island, makeIsland } from "./islands.ts";
import { hireJanitor } from "./janitor.ts";
import { processesIn, until } from "./processes.ts";
import { smallLinux } from "./small-linux.ts";
import { newKey } from "./ssh.ts";

/**
 * A provider's server and a host with an agent alone, each on an island: no route leads from one to
 * the other, and all that passes is files that are carried. Of the host's two cores one is standby.
 */
const temporary = makeTempFolder("airgapped");
const folder = temporary.path;
const janitor = hireJanitor(folder);
let office: Island;
let bunker: Island;
let server: Daemon;
let agent: Daemon;
let socket: string;
let image: string;
let key: string;

beforeAll(async () => {
  image = await smallLinux();
  [office, bunker] = [await makeIsland(folder, "office"), await makeIsland(folder, "bunker")];
  key = await newKey(bunker.path("id"));
  const data = `${folder}/${DEMO_PARTS.agent}`;
  socket = `${data}/agent.sock`;
  server = createDaemon(
    ["server", "--data", `${folder}/${DEMO_PARTS.server}`, "--listen", "127.0.0.1:7070"],
    office.path("server.log"),
    office.within,
  );
  agent = createDaemon(
    [
      ...["agent", "--data", data, "--alone", "--name", "bunker", "--cores", "0-1"],
      ...["--memory", "1GiB", "--disk", "4GiB", "--reserve-cpu", "0", "--standby-cores", "1"],
    ],
    bunker.path("agent.log"),
    bunker.within,
  );
  const [{ url, operatorKey }] = await Promise.all([
    server.start<{ url: string; operatorKey: string }>(),
    agent.start(),
  ]);
  await login(url, operatorKey);
}, 120_000);
afterAll(async () => {
  await agent?.stop();
  await server?.stop();
  await cleanUp(folder);
  temporary.remove();
  janitor.dismiss();
  for (const island of [office, bunker]) island?.sink();
});

/** Who sells, and who owns the host: both are known at the server, and the host is not. */
async function login(url: string, operatorKey: string): Promise<void> {
  const at = `--server ${url} --key ${operatorKey} --json`;
  for (const [name, role] of [
    ["vendor", "provider"],
    ["acme", "lender"],
  ] as const) {
    const added = await office.type(`party add ${name} --role ${role} ${at}`.split(" "));
    const { key: own } = added.json<{ key: string }>();
    await sold(`login ${url} --key ${own} --as ${name}`);
  }
}

/** At the office; a failure is one of the test. */
async function sold<T>(line: string): Promise<T> {
  const ran = await office.type([...line.split(" "), "--json"]);
  if (ran.exitCode !== 0) throw new Error(`sublet ${line}: ${ran.stdout}${ran.stderr}`);
  return ran.json<T>();
}

async function atHost<T>(line: string): Promise<T> {
  const ran = await bunker.type([...line.split(" "), "--agent", socket, "--json"]);
  if (ran.exitCode !== 0) throw new Error(`sublet ${line}: ${ran.stdout}${ran.stderr}`);
  return ran.json<T>();
}

async function inGuest(partition: string, line: string): Promise<string> {
  const flags = ["--agent", socket, "--identity", key, "--json"];
  const ran = await bunker.type(["partition", "ssh", partition, ...flags, "--", line]);
  return ran.json<{ stdout: string }>().stdout.trim();
}

/** Report to the office, receipt back; gives what the report held. */
async function report(name: string): Promise<ReportFile> {
  await atHost(`usage export -o ${name}.json`);
  bunker.carry(`${name}.json`, office);
  await sold(`usage import ${name}.json -o ${name}-receipt.json --as vendor`);
  office.carry(`${name}-receipt.json`, bunker);
  await atHost(`usage import ${name}-receipt.json`);
  return JSON.parse(readFileSync(bunker.path(`${name}.json`), "utf8"));
}

async function bills(count: number): Promise<CapacityBill[]> {
  const found = await until(`there are ${count} bills`, async () => {
    const listed = await sold<Response<"listBills">>("bill list --as acme");
    return listed.bills.length >= count ? listed.bills : undefined;
  });
  const shown: CapacityBill[] = [];
  for (const { billId } of found) {
    const { bill } = await sold<Response<"showBill">>(`bill show ${billId} --as acme`);
    if (bill.kind === "capacity") shown.push(bill);
  }
  return shown.toSorted((a, b) => a.number - b.number);
}

test("by files alone a host is registered, its standby core enabled, used, given back, billed and verified", async () => {
  await sold("capacity terms cpu --price 3.60/h --period 30d --valid 30d --as vendor");
  await atHost("capacity card -o bunker.card");
  bunker.carry("bunker.card", office);
  await sold("capacity register bunker.card --customer acme --as vendor");
  await sold("capacity confirm bunker --yes --as acme");
  await sold("capacity provider-card -o vendor.card --as vendor");
  office.carry("vendor.card", bunker);
  await atHost("capacity trust vendor.card --yes");

  await atHost("partition set p1 --cpu 1 --memory 192MiB --disk 64MiB");
  await atHost(`partition start p1 --image ${image} --ssh-key ${key}.pub`);
  expect(await inGuest("p1", "nproc")).toBe("1");

  await atHost("capacity request --cpu 1 --for 1h -o wish.request");
  bunker.carry("wish.request", office);
  await sold("capacity issue wish.request -o bunker.code --as vendor");
  office.carry("bunker.code", bunker);
  const began = performance.now();
  const enabled = await atHost<{ service: { state: string } }>(
    "capacity enable bunker.code --partition p1",
  );
  expect(enabled.service.state).toBe("in-service");
  expect(await inGuest("p1", "nproc")).toBe("2");
  await inGuest("p1", "timeout 2 yes >/dev/null & timeout 2 yes >/dev/null; wait");
  const shown = await atHost<ShownCapacity>("capacity show");
  expect(shown.services).toMatchObject([{ partition: "p1", quantity: 1000, state: "in-service" }]);

  await atHost("capacity return --partition p1");
  const mostNs = BigInt(Math.ceil((performance.now() - began) * 1e6));
  expect(await inGuest("p1", "nproc")).toBe("1");
  const { usage } = await report("first");
  const [bill] = await bills(1);
  if (bill === undefined) throw new Error("there is no bill");
  const [line, ...others] = bill.lines;
  expect(others).toEqual([]);
  const quantity = BigInt(line?.quantity ?? 0);
  // To the nanosecond what the host's timer has counted, and that is no more than has passed.
  const recorded = usage.flatMap((jws) => (claimedPayload(jws) as UsageBatch).records);
  const counted = recorded.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  expect(line).toMatchObject({ rule: "dedicated-time", mode: "dedicated" });
  expect(quantity).toBe(counted * 1000n);
  expect(counted).toBeGreaterThan(2_000_000_000n);
  expect(counted).toBeLessThan(mostNs);
  // At 3.60 an hour a core-second is a thousandth, and every microsecond a billionth.
  expect(BigInt(line?.amountMicros ?? 0)).toBe(rounded(quantity * 3_600_000n, 3_600n * 10n ** 12n));
  expect(bill.act.reason).toBe("returned");

  await sold(`usage export --bill ${bill.billId} -o bill.json --as acme`);
  const verified = await sold<{ verified: boolean }>("bill verify ./bill.json --as acme");
  expect(verified.verified).toBe(true);
  const { unreported } = await atHost<ShownCapacity>("capacity show");
  expect(unreported).toMatchObject([{ acts: 0, resources: [{ quantity: "0" }] }]);
}, 90_000);

test("what a shared guest burns is on the bill to the nanosecond of the kernel's own counter", async (context) => {
  const { host } = await atHost<AgentState>("host show");
  if (!host.capacity.facts.sharedCpu) return context.skip();
  await atHost("partition wipe p1 --yes");
  await atHost("partition remove p1");
  await atHost("partition set p2 --cpu 0.5 --shared --memory 192MiB --disk 64MiB");
  await atHost(`partition start p2 --image ${image} --ssh-key ${key}.pub`);
  const pid = qemuOf(`${folder}/${DEMO_PARTS.agent}/guests`);

  await atHost("capacity enable --accepted --shared");
  const at: bigint[] = [];
  await frozen(pid, async (cpuNs) => {
    at.push(cpuNs);
    await atHost("capacity bill-now");
  });
  await inGuest("p2", "timeout 2 yes >/dev/null; true");
  await frozen(pid, async (cpuNs) => {
    at.push(cpuNs);
    await atHost("capacity bill-now");
  });
  await report("second");
  const found = (await bills(3)).slice(1).map(({ lines }) => BigInt(lines[0]?.used ?? 0));
  const [before = 0n, after = 0n] = found;
  const [from = 0n, to = 0n] = at;
  expect(to - from).toBeGreaterThan(500_000_000n);
  expect(after - before).toBe((to - from) * 1000n);
}, 60_000);

function qemuOf(guests: string): number {
  const found = processesIn(guests).find(({ line }) => line.includes("qemu"));
  if (found === undefined) throw new Error("the guest's process is not there");
  return found.pid;
}

/** Half to even, as an amount is. */
function rounded(numerator: bigint, denominator: bigint): bigint {
  const [quotient, rest] = [numerator / denominator, numerator % denominator];
  const isUp = rest * 2n > denominator || (rest * 2n === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}
