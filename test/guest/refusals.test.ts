import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import { newId } from "../../src/unit/id.ts";
import { type Lease, type Market, openMarket, WISH } from "./market.ts";
import { processesIn, until } from "./processes.ts";

/** What a market of real processes does not do, and says so by name. No guest gets to its way in. */

let market: Market;

beforeAll(async () => {
  market = await openMarket("refusals");
}, 60_000);

afterAll(() => market?.close());

test("a second server on the same data is refused and told who has it", async () => {
  const data = join(market.folder, "server");
  const argv = ["server", "--data", data, "--listen", "127.0.0.1:0", "--json"];
  const refused = await market.sublet(argv);
  expect(refused.exitCode).toBe(1);
  expect(refused.error().code).toBe("data-folder-in-use");
  expect(refused.error().message).toContain(`process ${market.server.pid()}`);
});

test("a second agent on the same data is refused and told who has it", async () => {
  const argv = ["agent", "--data", join(market.folder, "agent"), "--json"];
  const refused = await market.sublet(argv);
  expect(refused.exitCode).toBe(1);
  expect(refused.error().code).toBe("data-folder-in-use");
  expect(refused.error().message).toContain(`process ${market.agent.pid()}`);
});

/** Where no other agent has cores already. */
function anotherComputer(): NodeJS.ProcessEnv {
  return { SUBLET_RUN: join(market.folder, "another-computer") };
}

test("a computer that comes with a used token does not join", async () => {
  const data = join(market.folder, "impostor");
  const argv = ["agent", "--data", data, "--join", market.joinToken, "--json"];
  const refused = await market.sublet(argv, { env: anotherComputer() });
  expect(refused.exitCode).toBe(1);
  expect(refused.error().code).toBe("enrolment-token-invalid");
  expect(refused.error().message).toContain("sublet host add");
  const { hosts } = await market.verbs.do<Response<"listHosts">>("host", "list", "--as", "lender");
  expect(hosts.map(({ name, state }) => [name, state])).toEqual([["h1", "seen"]]);
});

test("an agent without QEMU names what is missing and what to type, and keeps its token", async () => {
  const { joinToken } = await market.verbs.do<Response<"addHost">>(
    ...["host", "add", "h2", "--as", "lender"],
  );
  const nothing = join(market.folder, "nothing");
  mkdirSync(nothing);
  const data = join(market.folder, "bare");
  const argv = ["agent", "--data", data, "--join", joinToken, "--json"];
  const refused = await market.sublet(argv, { env: { ...anotherComputer(), PATH: nothing } });
  expect(refused.exitCode).toBe(1);
  expect(refused.error().code).toBe("qemu-missing");
  expect(refused.error().message).toMatch(/QEMU .* is missing; type: apt-get install qemu-system-/);
  const { hosts } = await market.verbs.do<Response<"listHosts">>("host", "list", "--as", "lender");
  expect(hosts.find(({ name }) => name === "h2")?.state).toBe("expected");
});

test("an image altered on the file server is not booted, and the lease costs nothing", async () => {
  const path = blobOnServer("kernel");
  const content = readFileSync(path);
  writeFileSync(path, withOneBitFlipped(content));
  const before = await account();
  const leaseId = newId("lease", Date.now());
  const book = ["lease", "create", ...WISH, "--id", leaseId, "--yes", "--as", "client"];
  const refused = await market.verbs.ask(...book, "--wait");
  writeFileSync(path, content);
  expect(refused).toMatchObject({ ok: false, code: "lease-ended" });

  const { lease, events } = await until("the lease is billed", async () => {
    const shown = await leaseShown(leaseId);
    return shown.lease.billId === null ? undefined : shown;
  });
  expect(lease).toMatchObject({ state: "ended", outcome: "not-delivered", readyAt: null });
  const failed = events.find(({ kind }) => kind === "failed");
  expect(failed?.reason).toBe("image-digest-wrong");
  expect(events.find(({ kind }) => kind === "ended")?.reason).toBe("image-digest-wrong");
  expect(events.map(({ detail }) => detail.step)).not.toContain("image-verified");
  nothingIsLeftOf(leaseId);
  const bill = ["bill", "show", lease.billId ?? "", "--as", "client"];
  const shown = await market.verbs.do<Response<"showBill">>(...bill);
  expect(shown.bill).toMatchObject({ totalMicros: "0", used: null });
  expect(await account()).toEqual(before);
  const verify = ["bill", "verify", lease.billId ?? "", "--as", "client", "--json"];
  expect(await market.sublet(verify)).toMatchObject({ exitCode: 0 });
});

test("an image altered in the agent's cache is fetched again before it is booted", async () => {
  const content = readFileSync(blobOnServer("kernel"));
  const cache = join(market.folder, "agent/images");
  const path = join(cache, digestOf("kernel").replace(":", "-"));
  mkdirSync(cache, { recursive: true });
  writeFileSync(path, withOneBitFlipped(content));

  const create = ["lease", "create", ...WISH, "--yes", "--as", "client"];
  const { leaseId } = await market.verbs.do<Lease>(...create);
  await until("its guest is started", async () => {
    const { lease, events } = await leaseShown(leaseId);
    if (lease.state === "ended") throw new Error(`it ended: ${lease.reason}`);
    return events.find(({ detail }) => detail.step === "booting");
  });
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(readFileSync(market.agent.logPath, "utf8")).toMatch(/cached image file was altered/);
  const booted = readFileSync(join(market.guestsFolder, leaseId, "machine/kernel"));
  expect(booted.equals(content)).toBe(true);

  await market.verbs.do("lease", "end", leaseId, "--wait", "--as", "client");
  expect((await leaseShown(leaseId)).events.filter(({ kind }) => kind === "failed")).toEqual([]);
  nothingIsLeftOf(leaseId);
});

function leaseShown(leaseId: string): Promise<Response<"showLease">> {
  return market.verbs.do("lease", "show", leaseId, "--as", "client");
}

function account(): Promise<Response<"showAccount">> {
  return market.verbs.do("account", "show", "--as", "client");
}

function nothingIsLeftOf(leaseId: string): void {
  const names = readdirSync(join(market.folder, "agent"), { recursive: true, encoding: "utf8" });
  expect(names.filter((name) => name.includes(leaseId))).toEqual([]);
  expect(processesIn(market.guestsFolder)).toEqual([]);
}

function blobOnServer(role: string): string {
  const hex = digestOf(role).replace("sha256:", "");
  return join(market.folder, "server/images", hex.slice(0, 2), hex);
}

function digestOf(role: string): string {
  const manifest = JSON.parse(readFileSync(join(market.imageFolder, "image.json"), "utf8"));
  return manifest.parts.find((part: { role: string }) => part.role === role).digest;
}

/** As a bad disk would: the same length, and all else the same. */
function withOneBitFlipped(content: Buffer): Buffer {
  const altered = Buffer.from(content);
  const middle = altered.length >> 1;
  altered[middle] = (altered[middle] ?? 0) ^ 1;
  return altered;
}
