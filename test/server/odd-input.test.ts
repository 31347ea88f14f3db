import { afterAll, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { bookingOf, offerOf, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer } from "./harness.ts";

const server = await startTestServer();
const { client, lender } = await openMarket(server);
afterAll(() => server.stop());

test("a start in a year that nobody lives to see is refused by name, and the list of leases stays readable", async () => {
  const starts = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "2999-01-01T00:00:00Z"];
  for (const start of starts) {
    const params = { leaseId: newId("lease") };
    expect(await codeOf(client.call("search", { body: bookingOf({ start }).requirement }))).toBe(
      "invalid-input",
    );
    expect(await codeOf(client.call("bookLease", { params, body: bookingOf({ start }) }))).toBe(
      "invalid-input",
    );
  }
  for (const party of [client, lender]) {
    expect((await party.call("listLeases", { query: {} })).leases).toEqual([]);
  }
});

test("a maintenance that ends behind the last four-digit year is refused by name", async () => {
  const maintenance = { start: "2030-01-01T00:00:00Z", end: "9999-12-31T23:59:59-12:00" };
  const set = lender.call("setMaintenance", { params: { host: "h1" }, body: { maintenance } });
  expect(await codeOf(set)).toBe("invalid-input");
});

test("borrowers that no party can be called are refused by name", async () => {
  const params = { host: "h1", name: "lend" };
  for (const name of ["no\u0000body", "Ünïcode", "", " client"]) {
    const borrowers = { who: "only" as const, parties: [name] };
    const set = lender.call("setOffer", { params, body: offerOf({ borrowers }) });
    expect(await codeOf(set), JSON.stringify(name)).toBe("invalid-input");
  }
});
