import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LeaseId } from "../../src/unit/id.ts";
import { disorderIn } from "../setup/order.ts";
import { mayMount } from "../setup/small-disk.ts";
import { type FaultMarket, openFaultMarket } from "./market.ts";

let market: FaultMarket;
beforeAll(async () => {
  market = await openFaultMarket();
});
afterAll(() => market.server.stop());

const reasonsOf = async (leaseId: LeaseId, kind: string) =>
  (await market.show(leaseId)).events
    .filter((event) => event.kind === kind)
    .map(({ reason }) => reason);

test("a port that others took is tried again, and the lease is delivered", async () => {
  const { book, rounds, show, end, driver } = market;
  driver.failNext("boot", "port-taken", 2);
  const leaseId = await book(600);
  await rounds(4, 20);
  expect((await show(leaseId)).lease.state).toBe("ready");
  expect(await reasonsOf(leaseId, "failed")).toEqual([]);
  await end(leaseId);
  await rounds(3, 5);
});

test("a lease for which there is no port ends by name and costs nothing", async () => {
  const { book, rounds, show, bill, driver, client, server } = market;
  driver.failNext("boot", "port-taken", 4);
  const leaseId = await book(600);
  await rounds(8, 20);
  expect((await show(leaseId)).lease).toMatchObject({ state: "ended", outcome: "not-delivered" });
  expect(await reasonsOf(leaseId, "failed")).toEqual(["port-taken"]);
  expect((await bill(leaseId)).totalMicros).toBe("0");
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
  expect(await disorderIn(server.database.pool, "at-rest")).toEqual([]);
});

test("a delivered guest whose port was taken while it was down is told of, not charged, and delivered again", async () => {
  const { book, rounds, show, end, bill, driver } = market;
  const leaseId = await book(3600);
  await rounds(6, 10);
  const { access } = (await show(leaseId)).lease;
  driver.failNext("boot", "port-taken", 6);
  driver.end(leaseId, "process-died");
  await rounds(5, 40);
  expect((await show(leaseId)).lease.state).toBe("ready");
  // Why it went, and why it is not there again: once each.
  expect(await reasonsOf(leaseId, "undelivered")).toEqual(["process-died", "port-taken"]);
  await rounds(6, 40);
  expect(await reasonsOf(leaseId, "delivered-again")).toHaveLength(1);
  expect((await show(leaseId)).lease.access).toEqual(access);
  await end(leaseId);
  await rounds(3, 5);
  const { deliveredNs, elapsedNs } = await bill(leaseId);
  expect(BigInt(elapsedNs) - BigInt(deliveredNs)).toBeGreaterThan(100_000_000_000n);
});

test.skipIf(!mayMount)("a host whose every port is taken says so by name, and what to do", () => {
  const program = fileURLToPath(new URL("free-port.ts", import.meta.url));
  const script = `ip link set lo up
    echo "40000 40003" > /proc/sys/net/ipv4/ip_local_port_range
    exec "$0" "$1"`;
  const said = execFileSync("unshare", ["--net", "sh", "-ec", script, process.execPath, program]);
  const { taken, code, message } = JSON.parse(said.toString());
  expect(taken.toSorted()).toEqual([40_000, 40_001, 40_002, 40_003]);
  expect(code).toBe("port-taken");
  expect(message).toMatch(/every port of 127\.0\.0\.1 is taken.*ip_local_port_range/);
});
