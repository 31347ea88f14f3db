import { afterAll, beforeAll, expect, test } from "vitest";
import { type CapacityMarket, openCapacityMarket } from "./capacity-market.ts";
import { capacity, GIB } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: CapacityMarket;
beforeAll(async () => {
  server = await startTestServer();
  market = await openCapacityMarket(server);
});
afterAll(() => server.stop());

const set = (name: string, cpuMilli: number, memoryBytes = GIB, min = cpuMilli) => {
  const size = { cpuMilli, memoryBytes, diskBytes: GIB };
  const body = { lendable: true, cpuMode: "dedicated" as const, size };
  return market.owner.call("setPartition", {
    params: { host: "h1", name },
    body: { ...body, min: { ...size, cpuMilli: min, diskBytes: 0 }, max: size },
  });
};

test("a server shows standby apart and cuts no partition of it", async () => {
  const { host } = await market.owner.call("showHost", { params: { host: "h1" } });
  expect(host).toMatchObject({
    base: { cpuMilli: 4000 },
    standby: { cpuMilli: 2000, memoryBytes: GIB },
  });
  // Four cores are base and two are in standby.
  expect(await codeOf(set("five", 5000))).toBe("capacity-exceeded");
  expect(await codeOf(set("memory", 1000, 9 * GIB))).toBe("capacity-exceeded");
  await set("three", 3000);
  expect(await codeOf(set("two", 2000))).toMatch(/^(capacity-exceeded|minimums-exceed-base)$/);
  await set("one", 1000);
});

test("base that goes into standby is not given up while it is reserved", async () => {
  const base = { cpuMilli: 3000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
  const standby = { cpuMilli: 3000, memoryBytes: GIB, diskBytes: 0 };
  const told = market.host.agent.call("reportCapacity", { body: { ...capacity(base), standby } });
  expect(await codeOf(told)).toBe("host-has-less");
});
