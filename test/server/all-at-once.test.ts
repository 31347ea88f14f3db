import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "../../src/api/client/client.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { type Chance, createChance } from "../../tools/torture/chance.ts";
import { disorderIn } from "../setup/order.ts";
import {
  acknowledgeExtension,
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  openMarket,
  readExtensions,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

/** Booking, extension, re-cut and end at once, by many clients for one partition, by seed. */
const SEEDS = [1, 2, 3, 4];
const CLIENTS = 6;
const DEEDS_EACH = 7;

let server: TestServer;
let market: Market;
let clients: Client[];
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const { client } = await server.party(`one-of-many-${index}`, ["client"]);
      await depositFor(server, `one-of-many-${index}`, 5_000_000n);
      return client;
    }),
  );
});
afterAll(() => server.stop());

/** Whatever was refused was refused by one of these; nothing else may come. */
const REFUSALS = [
  ...["done", "just-taken", "no-match", "funds-short", "partition-in-use", "partition-booked"],
  ...["extension-pending", "lease-over", "calendar-full", "capacity-exceeded", "not-lendable"],
];

for (const seed of SEEDS) {
  test(`booking, extension, re-cut and end at once by many clients leave everything in order (seed ${seed})`, async () => {
    const chance = createChance(seed);
    const leases: { client: Client; leaseId: LeaseId }[] = [];
    const codes = new Set<string>();
    const stop = new AbortController();
    const host = actAsHost(stop.signal);
    const lender = recut(createChance(seed + 100), stop.signal, codes);
    const passes = runPasses(stop.signal);
    await Promise.all(
      clients.map((client, index) =>
        actAsClient(client, createChance(chance.between(1, 2 ** 30) + index), leases, codes),
      ),
    );
    expect(await disorderIn(server.database.pool, "always")).toEqual([]);
    for (const { client, leaseId } of leases) {
      await codeOf(client.call("endLease", { params: { leaseId } }));
    }
    stop.abort();
    await Promise.all([host, lender, passes]);
    for (let i = 0; i < 3; i++) {
      await server.pass();
      await actAsHostOnce();
    }
    await server.pass();
    expect([...codes].filter((code) => !REFUSALS.includes(code))).toEqual([]);
    expect(leases.length).toBeGreaterThan(3);
    expect(await disorderIn(server.database.pool, "at-rest")).toEqual([]);
  });
}

async function actAsClient(
  client: Client,
  chance: Chance,
  leases: { client: Client; leaseId: LeaseId }[],
  codes: Set<string>,
): Promise<void> {
  let own: LeaseId | null = null;
  for (let i = 0; i < DEEDS_EACH; i++) {
    if (own === null || chance.next() < 0.3) {
      const leaseId = newId("lease");
      const later = Date.now() + chance.between(1, 5) * 3_700_000;
      const start = chance.next() < 0.4 ? { start: new Date(later).toISOString() } : {};
      const body = bookingOf({ durationSeconds: 600, ...start });
      const code = await codeOf(client.call("bookLease", { params: { leaseId }, body }));
      codes.add(code);
      if (code === "done") {
        own = leaseId;
        leases.push({ client, leaseId });
      }
    } else if (chance.next() < 0.6) {
      const params = { leaseId: own, extensionId: newId("extension") };
      const body = { seconds: chance.between(1, 6) * 600 };
      codes.add(await codeOf(client.call("extendLease", { params, body })));
    } else {
      codes.add(await codeOf(client.call("endLease", { params: { leaseId: own } })));
      own = null;
    }
    await sleep(chance.between(0, 30));
  }
}

/** The lender changes its mind about the size all the time, and may only while nobody is in it. */
async function recut(chance: Chance, stopped: AbortSignal, codes: Set<string>): Promise<void> {
  const size = { memoryBytes: 2 ** 31, diskBytes: 2 ** 30 };
  while (!stopped.aborted) {
    const cpuMilli = 1000 * chance.between(1, 3);
    const body = {
      ...{ lendable: true, cpuMode: "dedicated" as const, size: { ...size, cpuMilli } },
      max: { cpuMilli: 3000, memoryBytes: 2 ** 31, diskBytes: 2 ** 34 },
    };
    const params = { host: "h1", name: "lend" };
    codes.add(await codeOf(market.lender.call("setPartition", { params, body })));
    await sleep(chance.between(0, 40));
  }
}

async function runPasses(stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await server.pass();
    await sleep(10);
  }
}

async function actAsHost(stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await actAsHostOnce();
    await sleep(15);
  }
}

/** What its agent would do: boot what is granted, take extensions, wipe what is to end. */
async function actAsHostOnce(): Promise<void> {
  const { host } = market;
  const desired = await host.agent.call("readDesired");
  for (const { leaseId, state, endJws } of desired.leases) {
    if (state === "ended") continue;
    const granted = await readGrant(host, leaseId).catch(() => null);
    if (granted === null) continue;
    if (endJws !== null) {
      const records = makeRecords(host, granted, [60, 60]);
      await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
      await becomeWiped(host, granted, records);
    } else if (state === "preparing") {
      await becomeReady(host, leaseId);
    } else if ((await readExtensions(host, leaseId)).length > 0) {
      await acknowledgeExtension(host, leaseId).catch(lapsedMeanwhile);
    }
  }
}

/** Between the host's look and its answer the client may have ended the lease. */
function lapsedMeanwhile(error: unknown): void {
  if (!/no extension|extension|ending/.test(String(error))) throw error;
}
