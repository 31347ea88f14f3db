import type { Clock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { becomeReady, becomeWiped, bookingOf, openMarket, readGrant } from "./fake-host.ts";
import { depositFor, startTestServer } from "./harness.ts";

export const HOUR = 3600;

/** A market whose server's clock goes on from the real one, so that ids and tokens stay in order. */
export async function openExtensionMarket() {
  let aheadMs = 0;
  const clock: Clock = {
    now: () => new Date(Date.now() + aheadMs),
    monotonicNs: () => process.hrtime.bigint(),
    bootId: () => "boot",
  };
  const server = await startTestServer(clock);
  const market = await openMarket(server);
  await depositFor(server, "client", 90_000_000n);
  const { client, host } = market;
  const pass = (seconds: number) => {
    aheadMs += seconds * 1000;
  };
  const showAll = (leaseId: LeaseId) => client.call("showLease", { params: { leaseId } });
  const show = async (leaseId: LeaseId) => (await showAll(leaseId)).lease;
  return {
    ...{ server, market, clock, pass, show },
    /** Time passes, and the host is in contact. */
    heard: async (seconds: number) => {
      pass(seconds);
      await host.agent.call("readDesired");
    },
    tomorrow: () => new Date(clock.now().getTime() + 86_400_000).toISOString(),
    extend: (leaseId: LeaseId, seconds = HOUR, more: object = {}) => {
      const params = { leaseId, extensionId: newId("extension") };
      return client.call("extendLease", { params, body: { seconds, ...more } });
    },
    holds: async () => BigInt((await client.call("showAccount")).holdsMicros),
    hold: async (leaseId: LeaseId) => {
      const { rows } = await server.database.pool.query<{ amount: bigint }>(
        "select amount_micros as amount from hold where lease_id = $1 and released_at is null",
        [leaseId],
      );
      return rows[0]?.amount ?? 0n;
    },
    eventsOf: async (leaseId: LeaseId) =>
      (await showAll(leaseId)).events.map(({ kind, reason }) =>
        reason === null ? kind : `${kind}: ${reason}`,
      ),
    runningLease: async () => {
      const leaseId = newId("lease");
      await client.call("bookLease", { params: { leaseId }, body: bookingOf() });
      await server.pass();
      await becomeReady(host, leaseId);
      return leaseId;
    },
    endAndWipe: async (leaseId: LeaseId) => {
      const granted = await readGrant(host, leaseId);
      if ((await show(leaseId)).state !== "ending") {
        await client.call("endLease", { params: { leaseId } });
      }
      await becomeWiped(host, granted, []);
      await server.pass();
    },
  };
}
