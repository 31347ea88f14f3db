import { hash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import type { BillVerification } from "../../src/billing/verify/verify-bill.ts";
import { sshGreets } from "../../src/partition/qemu/banner.ts";
import { identify } from "../../src/partition/qemu/process-table.ts";
import { type Borrowed, borrowed } from "./borrowed.ts";
import { recordsOf, withOneDigitMore } from "./exported-bill.ts";
import { borrow, type Market, openMarket, WISH } from "./market.ts";
import { processesIn, sessionOf, until } from "./processes.ts";
import { reachFromGuest } from "./reach.ts";
import { newKey, ssh, targetOf } from "./ssh.ts";

/**
 * One market and one lease, from its boot to its verified bill. The tests go on with it in order:
 * the agent is dead during those of the way in, which need none, and long enough for a gap.
 */

const isRoot = process.getuid?.() === 0;
/** More than three readings, 10 s apart: nobody has witnessed that time. */
const GAP_MS = 31_000;

let market: Market;
let held: Borrowed;
let bootId: string;
let readyAtMs = 0;
let agentKilledAtMs = 0;
let agentBackAtMs = 0;

beforeAll(async () => {
  market = await openMarket("market");
  held = borrowed(market, await borrow(market));
  readyAtMs = performance.now();
  bootId = await held.bootId();
}, 120_000);

afterAll(() => market?.close());

test("nobody resizes a partition in use, neither at the server nor at its agent", async () => {
  const { verbs, agentSocket } = market;
  const before = await held.partition();
  expect(before).toMatchObject({ inUse: { leaseId: held.lease.leaseId }, size: held.lease.size });
  const size = ["--cpu", "1", "--memory", "128MiB", "--disk", "64MiB"];
  const refused = { ok: false, code: "partition-in-use" };
  const set = ["partition", "set"];
  expect(await verbs.ask(...set, "h1", "lend", ...size, "--as", "lender")).toMatchObject(refused);
  expect(await verbs.ask(...set, "lend", ...size, "--agent", agentSocket)).toMatchObject(refused);
  const remove = ["partition", "remove", "h1", "lend", "--as", "lender"];
  expect(await verbs.ask(...remove)).toMatchObject(refused);
  expect(await held.partition()).toEqual(before);
  const { partitions } = await held.agentState();
  expect(partitions.find(({ name }) => name === "lend")?.size).toEqual(held.lease.size);
});

test("QEMU runs apart from its agent, and as a user who may nothing", async () => {
  const pid = await held.guestPid();
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
  if (isRoot) {
    expect(status).toMatch(/^Uid:\t(19\d{8})\t\1\t\1\t\1$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
  }
  expect(sessionOf(pid)).toBe(pid);
  expect(sessionOf(market.agent.pid())).not.toBe(pid);
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toMatch(/SUBLET|HOME=/);
});

test("a guest does not notice that its agent is killed", async () => {
  await market.agent.kill();
  agentKilledAtMs = performance.now();
  expect(await held.bootId()).toBe(bootId);
});

test("the client's own key lets in, and no other key does", async () => {
  const other = await newKey(join(market.folder, "other"));
  const refused = await held.run(["true"], {}, ["--identity", other]);
  expect(refused).toMatchObject({
    exitCode: 255,
    stderr: expect.stringMatching(/Permission denied/),
  });
  expect(await held.run(["id", "-un"])).toMatchObject({ exitCode: 0, stdout: "root\n" });
});

test("a password is not even asked for", async () => {
  const password = ["PreferredAuthentications=password,keyboard-interactive", "BatchMode=no"];
  const options = ["PubkeyAuthentication=no", ...password].flatMap((text) => ["-o", text]);
  const refused = await ssh(targetOf(market, held.lease), "true", options);
  expect(refused.exitCode).toBe(255);
  expect(refused.stderr).toMatch(/Permission denied \(publickey\)\./);
});

test("a guest with another host key than the pinned one is not spoken to", async () => {
  const target = targetOf(market, held.lease);
  const pinned = await readFile(target.knownHostsFile, "utf8");
  expect(pinned).toBe(`${held.lease.leaseId} ${held.lease.access?.hostKey}\n`);
  const another = await readFile(`${await newKey(join(market.folder, "host"))}.pub`, "utf8");
  const altered = `${held.lease.leaseId} ${another.trim()}\n`;

  const knownHostsFile = join(market.folder, "altered");
  await writeFile(knownHostsFile, altered);
  const refused = await ssh({ ...target, knownHostsFile }, "echo inside");
  expect(refused).toMatchObject({ exitCode: 255, stdout: "" });
  expect(refused.stderr).toMatch(/Host key verification failed/);

  await writeFile(target.knownHostsFile, altered);
  const ours = await held.run(["echo", "inside"], {}, ["--json"]);
  await writeFile(target.knownHostsFile, pinned);
  expect(ours.exitCode).toBe(255);
  expect(ours.error().code).toBe("host-key-changed");
  expect((await held.run(["echo", "inside"])).stdout).toBe("inside\n");
});

test("a command gets its arguments as typed, its input, and gives back its exit code", async () => {
  const typed = ["a b", "it's", "$HOME", "*", "", "back\\slash", '"', "new\nline", "-x;exit 1"];
  const printed = await held.run(["printf", "[%s]", ...typed]);
  expect(printed.stdout).toBe(typed.map((text) => `[${text}]`).join(""));
  const stdin = randomBytes(100_000);
  const digest = await held.run(["sha256sum"], { stdin });
  expect(digest.stdout).toBe(`${hash("sha256", stdin)}  -\n`);
  expect(await held.run(["exit 7"])).toMatchObject({ exitCode: 7, stdout: "", stderr: "" });
  const both = await held.run(["echo out; echo err >&2; exit 1"]);
  expect(both).toMatchObject({ exitCode: 1, stdout: "out\n", stderr: "err\n" });
});

test("a failure of ours is 255 and not taken for the command's", async () => {
  const nowhere = `${held.lease.leaseId.slice(0, -1)}${held.lease.leaseId.endsWith("0") ? "1" : "0"}`;
  const argv = ["run", "--as", "client", "--json", "--lease", nowhere, "--", "true"];
  const refused = await market.sublet(argv);
  expect(refused.exitCode).toBe(255);
  expect(refused.error().code).toBe("not-found");
});

test("a file of 5 MB comes back from the guest as it was", async () => {
  const [up, down] = [join(market.folder, "up"), join(market.folder, "down")];
  const content = randomBytes(5_000_000);
  await writeFile(up, content);
  const there = `${held.lease.leaseId}:/data/a file`;
  expect(await held.copy(up, there)).toMatchObject({ exitCode: 0 });
  const digest = await held.run(["sha256sum", "/data/a file"]);
  expect(digest.stdout).toContain(hash("sha256", content));
  expect(await held.copy(there, down)).toMatchObject({ exitCode: 0 });
  expect((await readFile(down)).equals(content)).toBe(true);
});

test("the guest reaches neither the host's loopback nor the server", async () => {
  const { heard, told } = await reachFromGuest(held, new URL(market.url).port);
  expect(heard).toEqual(["/from-the-host"]);
  expect(told).toEqual(Array.from({ length: 6 }, () => "refused"));
  // nc itself works there: the guest's own way in is heard.
  expect((await held.run(["echo | nc -w 2 127.0.0.1 22"])).stdout).toMatch(/^SSH-2\.0/);
});

test("the agent that is started again goes on with the same guest", async () => {
  const guest = await held.guestPid();
  await sleep(Math.max(0, GAP_MS - (performance.now() - agentKilledAtMs)));
  await market.agent.start();
  agentBackAtMs = performance.now();
  const state = await until("the agent is connected", async () => {
    const found = await held.agentState();
    return found.server?.connection === "connected" ? found : undefined;
  });
  expect(state.leases).toMatchObject([{ leaseId: held.lease.leaseId, stage: "ready" }]);
  expect(state.leases[0]).toMatchObject({ isDelivered: true, port: held.lease.access?.port });
  expect(await held.guestPid()).toBe(guest);
  expect(await held.bootId()).toBe(bootId);
  const { lease, events } = await held.shown();
  expect(lease).toMatchObject({ state: "ready", access: held.lease.access });
  expect(events.at(-1)?.kind).toBe("ready");
});

test("a server killed while a command runs in the guest loses nothing", async () => {
  const before = { ...(await held.shown()), account: await held.account() };
  const command = held.run(["sleep 3; echo it went on"]);
  await until("the command runs", async () =>
    processesIn(market.folder).find(({ line }) => /^ssh .*it went on/.test(line)),
  );
  await market.server.kill();
  expect((await command).stdout).toBe("it went on\n");
  await market.server.start();
  expect({ ...(await held.shown()), account: await held.account() }).toEqual(before);
  expect(await held.bootId()).toBe(bootId);
  await until("the agent is connected again", async () =>
    (await held.agentState()).server?.connection === "connected" ? true : undefined,
  );
});

test("a lease that ends is wiped, and its partition is free", async () => {
  const pid = await held.guestPid();
  const { address, port } = held.lease.access ?? { address: "", port: 0 };
  expect(await sshGreets(address, port, 3000)).toBe(true);
  const end = ["lease", "end", held.lease.leaseId, "--wait", "--as", "client"];
  const ended = await market.verbs.do<Response<"showLease">["lease"]>(...end);
  expect(ended).toMatchObject({ state: "ended", outcome: "ended-early", access: null });
  expect(await sshGreets(address, port, 500)).toBe(false);
  expect(identify(pid)).toBeNull();
  expect(processesIn(market.guestsFolder)).toEqual([]);
  const left = readdirSync(join(market.folder, "agent"), { recursive: true, encoding: "utf8" });
  expect(left.filter((name) => name.includes(held.lease.leaseId))).toEqual([]);
  expect(left.filter((name) => /^guests\/.*\//.test(name))).toEqual([]);
  expect(await held.partition()).toMatchObject({ inUse: null });
  expect((await held.agentState()).partitions.map(({ inUse }) => inUse)).toEqual([null, null]);
  const { matches } = await market.verbs.do<Response<"search">>(
    "search",
    ...WISH,
    "--as",
    "client",
  );
  expect(matches).toHaveLength(1);
  const late = await held.run(["true"], {}, ["--json"]);
  expect(late.exitCode).toBe(255);
  expect(late.error().code).toBe("lease-not-ready");
});

test("its bill leaves out what nobody witnessed, and is verified here and elsewhere", async () => {
  const { exported, file } = await held.exportBill();
  const bill = exported.leases[0]?.bills[0]?.bill;
  if (bill === undefined) throw new Error("there is no bill in it");
  const records = recordsOf(exported);
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1));
  expect(records.filter(({ gap }) => gap)).toHaveLength(1);
  const [elapsed, delivered] = [BigInt(bill.elapsedNs), BigInt(bill.deliveredNs)];
  expect(delivered).toBeGreaterThan(0n);
  expect(elapsed - delivered).toBeGreaterThan(BigInt(GAP_MS) * 1_000_000n);
  // The agent reads as soon as it is back; the guest's own end takes a moment as well.
  const awayMs = Math.round(agentBackAtMs - readyAtMs);
  expect(elapsed - delivered).toBeLessThan(BigInt(awayMs + 5_000) * 1_000_000n);
  const cpu = bill.lines.find(({ resource }) => resource === "cpu");
  expect(cpu?.quantity).toBe((delivered * 1000n).toString());
  const unpaid = bill.lines.filter(({ rule }) => rule === "not-delivered");
  expect(unpaid.map(({ amountMicros }) => amountMicros)).toEqual(unpaid.map(() => "0"));
  // Beside the gap there is the time from the lease's begin until the guest answered.
  expect(unpaid.map(({ cause }) => cause)).toEqual(expect.arrayContaining(["late", "unwitnessed"]));
  const freeNs = unpaid.reduce((sum, { quantity }) => sum + BigInt(quantity), 0n);
  expect(freeNs).toBeGreaterThan(elapsed - delivered);
  expect(BigInt(bill.totalMicros)).toBeGreaterThan(0n);

  for (const which of [bill.billId, file]) {
    const verified = await held.verifyBill(which);
    expect(verified.exitCode).toBe(0);
    expect(verified.json<BillVerification>()).toMatchObject({ verified: true });
  }
  const { balanceMicros, holdsMicros } = await held.account();
  expect(holdsMicros).toBe("0");
  expect(BigInt(balanceMicros)).toBe(10_000_000n - BigInt(bill.totalMicros));
});

test("a bill with one digit of one record altered is refused by name", async () => {
  const { exported } = await held.exportBill();
  const file = join(market.folder, "altered.json");
  await writeFile(file, JSON.stringify(withOneDigitMore(exported)));
  const refused = await held.verifyBill(file);
  expect(refused.exitCode).toBe(1);
  const { verified, findings } = refused.json<BillVerification>();
  expect(verified).toBe(false);
  expect(findings.map(({ code }) => code)).toContain("batch-bad-signature");
});
