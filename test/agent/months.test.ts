import { afterEach, expect, test } from "vitest";
import { nextReadingMs } from "../../src/agent/metering.ts";
import { createRig, desireLease, leaseOf, type Rig } from "./harness.ts";

/** What an agent does at the edge of a month, and when the server lacks records. */

let rig: Rig | undefined;
afterEach(() => {
  rig = undefined;
});

test("an agent reads at the edge of the lease's month, and ends its record there", async () => {
  // Five seconds and a bit before Berlin's January ends.
  const startMs = Date.parse("2027-01-31T22:59:48.300Z");
  let serverMs = startMs;
  rig = createRig({ readingEveryMs: 10_000, recordEveryMs: 60_000 }, () => serverMs);
  const context = await rig.start();
  await rig.round(context);
  const grant = desireLease(
    rig.server,
    rig.server.grantOf({ seconds: 600, billingTimeZone: "Europe/Berlin" }),
  );
  const pass = async (ms: number) => {
    serverMs += ms;
    rig?.clock.pass(ms);
    if (rig) await rig.round(context);
  };
  for (let i = 0; i < 6; i++) await pass(500);
  expect(rig.server.reportsOf("ready")).toHaveLength(1);
  const waitMs = nextReadingMs(context);
  expect(waitMs).toBeLessThan(10_000);
  await pass(waitMs);
  expect(context.time.nowMs()).toBeGreaterThanOrEqual(Date.parse("2027-01-31T23:00:00Z"));
  expect(nextReadingMs(context)).toBe(10_000);
  await pass(10_000);
  await pass(10_000);
  rig.server.desire({ leases: [leaseOf(rig.server, grant, rig.server.signEnd(grant.leaseId))] });
  for (let i = 0; i < 6; i++) await pass(500);
  const records = [...rig.server.state.records.values()].map(({ record }) => record);
  const edge = Date.parse("2027-01-31T23:00:00Z");
  const before = records.filter(({ from }) => Date.parse(from.at) < edge);
  const behind = records.filter(({ from }) => Date.parse(from.at) >= edge);
  expect(before.length).toBeGreaterThan(0);
  expect(behind.length).toBeGreaterThan(0);
  expect(Date.parse(before.at(-1)?.to.at ?? "") - edge).toBeLessThan(10);
});

test("what the server says that it lacks goes again, and nothing else does", async () => {
  rig = createRig({ readingEveryMs: 1000, recordEveryMs: 1000 });
  const context = await rig.start();
  await rig.round(context);
  const grant = desireLease(rig.server, rig.server.grantOf({ seconds: 600 }));
  await rig.rounds(context, 12, 1000);
  const { records } = rig.server.state;
  const name = (seq: number) => `${grant.leaseId} ${seq}`;
  expect(records.has(name(4))).toBe(true);
  records.delete(name(2));
  const told = { ...leaseOf(rig.server, grant), missing: [{ fromSeq: 2, toSeq: 2 }] };
  rig.server.desire({ leases: [told] });
  await rig.rounds(context, 2, 1000);
  expect(records.has(name(2))).toBe(true);
});
