import { afterAll, beforeAll, expect, test } from "vitest";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { disorderIn } from "../setup/order.ts";
import { type FaultMarket, openFaultMarket } from "./market.ts";

const SECOND_NS = 1_000_000_000n;
let market: FaultMarket;
beforeAll(async () => {
  market = await openFaultMarket();
});
afterAll(() => market.server.stop());

test("without a server for a whole lease the host ends it at its end, with an extension that it never saw", async () => {
  const { book, extend, rounds, show, bill, driver, line, client } = market;
  const leaseId = await book(300);
  await rounds(2, 10);
  line.isCut = true;
  await extend(leaseId, 600);
  await rounds(12, 20);
  expect(driver.guests.get(leaseId)?.observation.state).toBe("running");
  await rounds(5, 20);
  expect(driver.guests.has(leaseId)).toBe(false);
  // The server knows nothing of it: the host may have taken the extension.
  expect((await show(leaseId)).lease.extensions).toMatchObject([{ state: "pending" }]);
  line.isCut = false;
  await rounds(3, 10);
  const { lease, events } = await show(leaseId);
  expect(lease).toMatchObject({
    ...{ state: "ended", outcome: "completed" },
    extensions: [{ state: "lapsed", reason: "lease-ended" }],
  });
  expect(events.map(({ kind }) => kind)).toContain("extension-lapsed");
  const { deliveredNs, lines } = await bill(leaseId);
  expect(BigInt(deliveredNs)).toBeLessThanOrEqual(300n * SECOND_NS);
  expect(BigInt(deliveredNs)).toBeGreaterThan(270n * SECOND_NS);
  expect(lines.length).toBeGreaterThan(0);
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
  expect(await disorderIn(market.server.database.pool, "at-rest")).toEqual([]);
});

test("without a server the host ends a lease at its new end when it took the extension before, and all of it is paid", async () => {
  const { book, extend, rounds, show, bill, driver, line, client, agent } = market;
  const leaseId = await book(300);
  await rounds(2, 10);
  await extend(leaseId, 600);
  // It has read the code, stored it, and is cut off before it can say so.
  await readDesiredOnce(agent);
  await convergeOnce(agent);
  line.isCut = true;
  await rounds(40, 20);
  expect(driver.guests.get(leaseId)?.observation.state).toBe("running");
  expect((await show(leaseId)).lease.extensions).toMatchObject([{ state: "pending" }]);
  await rounds(6, 20);
  expect(driver.guests.has(leaseId)).toBe(false);
  line.isCut = false;
  await rounds(3, 10);
  const { lease } = await show(leaseId);
  expect(lease).toMatchObject({
    ...{ state: "ended", outcome: "completed" },
    extensions: [{ state: "in-force" }],
  });
  const { deliveredNs } = await bill(leaseId);
  expect(BigInt(deliveredNs)).toBeGreaterThan(870n * SECOND_NS);
  expect(BigInt(deliveredNs)).toBeLessThanOrEqual(900n * SECOND_NS);
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
  expect(await disorderIn(market.server.database.pool, "at-rest")).toEqual([]);
});
