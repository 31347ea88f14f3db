import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { pinProvider } from "../../src/agent/trust/pin.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import { newId } from "../../src/unit/id.ts";
import { MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { TERMS } from "./capacity-market.ts";
import { bookingOf, GIB, offerOf, openMarket } from "./fake-host.ts";
import { startTestServer } from "./harness.ts";

/** A real agent at a real server: what its owner lends of its standby serves a lease, and is billed. */
const soon = { timeout: 20_000, interval: 100 };
const folder = makeTempFolder("lent-flow");
const server = await startTestServer();
const market = await openMarket(server);
const driver = createMemoryDriver();
let agent: RunningAgent;

beforeAll(async () => {
  const { joinToken } = await market.lender.call("addHost", { body: { name: "attic" } });
  const dataFolder = join(folder.path, "agent");
  agent = await runAgent(
    {
      ...{ dataFolder, joinToken, cores: "0-3", standbyCores: "2-3" },
      reserve: { cpuMilli: 1000 },
      ...{ runFolder: join(folder.path, "run"), memoryBytes: 8 * GIB, diskBytes: 50 * GIB },
      ...{ readingEveryMs: 100, recordEveryMs: 200 },
    },
    { driver, machine: MACHINE, log: { ...testLog, debug: testLog.info } },
  );
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  folder.remove();
});

test("a lease larger than the base is served by a code that the host's owner has lent, and both are billed", async () => {
  const { lender, client } = market;
  const vendor = await server.party("vendor", ["provider"]);
  await vendor.client.call("setCapacityTerms", { params: { resource: "cpu" }, body: TERMS });
  const { cardJws } = await vendor.client.call("showProviderCard");
  expect(pinProvider(agent.context, cardJws).ok).toBe(true);
  const params = { host: "attic", name: "lend" };
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  const cut = { lendable: true, cpuMode: "dedicated" as const, size };
  const max = { ...size, cpuMilli: 3000 };
  await lender.call("setPartition", { params, body: { ...cut, max } });
  await lender.call("setOffer", { params, body: offerOf({ labels: { place: "attic" } }) });
  const wish = { size: { ...size, cpuMilli: 3000 }, labels: { place: "attic" } };
  const find = async () => {
    const { requirement } = bookingOf(wish);
    return client.call("search", { body: requirement });
  };
  expect((await find()).matches).toEqual([]);

  const { requestId } = await lender.call("requestCapacity", {
    body: {
      ...{ requestId: newId("request"), host: "attic", provider: "vendor" },
      ...{ resource: "cpu", quantity: 2000, forSeconds: 40_000 },
    },
  });
  const issued = { codeId: newId("code"), request: requestId };
  const { code } = await vendor.client.call("issueCode", { body: issued });
  await lender.call("orderCapacity", {
    body: {
      ...{ orderId: newId("order"), host: "attic" },
      ordered: { kind: "lend", code: code.codeJws },
    },
  });
  await vi.waitFor(async () => expect((await find()).matches).toHaveLength(1), soon);

  const leaseId = newId("lease");
  await client.call("bookLease", { params: { leaseId }, body: bookingOf(wish) });
  const show = async () => (await client.call("showLease", { params: { leaseId } })).lease;
  await vi.waitFor(async () => expect((await show()).state).toBe("ready"), soon);
  const guest = driver.guests.get(leaseId);
  expect(guest?.spec).toMatchObject({ size: { cpuMilli: 3000 } });
  expect(guest?.spec.cores).toEqual(expect.arrayContaining([2, 3]));
  expect((await find()).matches).toEqual([]);
  const keep = { kind: "keep" as const, codeId: code.codeId };
  const order = { orderId: newId("order"), host: "attic", ordered: keep };
  await expect(lender.call("orderCapacity", { body: order })).rejects.toMatchObject({
    code: "code-reserved",
  });

  await new Promise((resolve) => setTimeout(resolve, 1500));
  await client.call("endLease", { params: { leaseId } });
  await vi.waitFor(async () => expect((await show()).state).toBe("ended"), soon);
  await vi.waitFor(async () => {
    await server.pass();
    const { bills } = await lender.call("listBills", { query: {} });
    expect(bills.filter(({ kind }) => kind === "capacity")).toHaveLength(1);
  }, soon);
  const { bills } = await lender.call("listBills", { query: {} });
  const billId = bills.find(({ kind }) => kind === "capacity")?.billId ?? "bill_none";
  const { bill } = await lender.call("showBill", { params: { billId } });
  expect(bill).toMatchObject({ kind: "capacity", act: { reason: "lease-end" } });
  await lender.call("orderCapacity", { body: { ...order, orderId: newId("order") } });
  expect((await find()).matches).toEqual([]);
});
