import type { Client } from "../../src/api/client/client.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { becomeWiped, bookingOf, type FakeHost, openMarket, readGrant } from "./fake-host.ts";
import { depositFor, startTestServer } from "./harness.ts";

export type Found = Response<"search">;
type Change = Parameters<typeof bookingOf>[0];

export const placesOf = ({ matches }: Pick<Found, "matches">) =>
  matches.map(({ host, partition }) => `${host.name}/${partition?.name ?? "carved"}`);
export const reasonsAt = (found: Found, host: string) =>
  found.mismatches.find((one) => one.host.name === host)?.reasons.map(({ code }) => code);

/** A market whose client has money enough, and what tests of the search do in it. */
export async function openSearchMarket() {
  const server = await startTestServer();
  const market = await openMarket(server);
  await depositFor(server, "client", 100_000_000n);
  return {
    server,
    market,
    find: (change: Change = {}, client: Client = market.client) =>
      client.call("search", { body: bookingOf(change).requirement }),
    book: (change: Change = {}, client = market.client) => {
      const params = { leaseId: newId("lease") };
      return client.call("bookLease", { params, body: bookingOf(change) });
    },
    endAndWipe: async (host: FakeHost, leaseId: LeaseId, client = market.client) => {
      const ended = await client.call("endLease", { params: { leaseId } });
      // The server's own pass may have granted it by now, or not.
      if (ended.state !== "ended") await becomeWiped(host, await readGrant(host, leaseId), []);
      await server.pass();
    },
  };
}
