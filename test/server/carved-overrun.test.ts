import { afterAll, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { HOUR, openExtensionMarket } from "./extension-market.ts";
import { becomeReady, bookingOf, GIB, offerOf } from "./fake-host.ts";

const { clock, endAndWipe, heard, market, server } = await openExtensionMarket();
afterAll(() => server.stop());

test("a carved guest that is not wiped in time holds what it has, though less may be carved by now", async () => {
  const { client, host, lender } = market;
  const params = { host: "h1" };
  await lender.call("removePartition", { params: { ...params, name: "own" } });
  const carve = (memoryGib: number) => {
    const max = { cpuMilli: 1000, memoryBytes: memoryGib * GIB, diskBytes: GIB };
    const offered = { ...offerOf(), cpuMode: "dedicated" as const, max };
    return lender.call("setCarveOffer", { params, body: offered as never });
  };
  const { offerId } = await carve(2);
  const leaseId = newId("lease");
  const size = { cpuMilli: 1000, memoryBytes: 2 * GIB, diskBytes: GIB };
  const body = { ...bookingOf({ size }), offerId };
  await client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  await becomeReady(host, leaseId);
  await carve(1);
  await heard(HOUR + 100);
  await server.pass();
  const { rows } = await server.database.pool.query<{ until: Date }>(
    "select upper(period) as until from reservation where lease_id = $1",
    [leaseId],
  );
  expect(rows[0]?.until.getTime()).toBeGreaterThan(clock.now().getTime());
  await endAndWipe(leaseId);
});
