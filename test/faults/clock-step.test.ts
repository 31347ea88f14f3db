import { afterEach, expect, test } from "vitest";
import { createSteadyClock } from "../../src/unit/steady-clock.ts";
import { disorderIn } from "../setup/order.ts";
import { createClocks, type FaultMarket, openFaultMarket } from "./market.ts";

const HOUR_MS = 3_600_000;
let market: FaultMarket;
afterEach(() => market.server.stop());

/** The server's clock as a server that is started makes it, over a wall clock that can be set. */
async function open(): Promise<FaultMarket> {
  const clocks = createClocks();
  const serverClock = createSteadyClock(clocks.ofServer, () => undefined);
  market = await openFaultMarket({ clocks, serverClock });
  return market;
}

const step = (ms: number) => {
  market.clocks.stepServer(ms);
  market.clocks.stepAgent(ms);
};

for (const [which, stepMs] of [
  ["forward", HOUR_MS],
  ["back", -HOUR_MS],
] as const) {
  test(`clocks of server and host stepped an hour ${which}: a lease lasts as long as it was booked`, async () => {
    const { book, rounds, show, bill, driver } = await open();
    const leaseId = await book(600);
    await rounds(6, 25);
    step(stepMs);
    await rounds(17, 25);
    expect((await show(leaseId)).lease.state).toBe("ready");
    expect(driver.guests.get(leaseId)?.observation.state).toBe("running");
    await rounds(4, 15);
    const { lease, events } = await show(leaseId);
    expect(lease).toMatchObject({ state: "ended", outcome: "completed" });
    expect(events.at(-1)?.kind).toBe("billed");
    // Events tell the market's own time, in their order.
    const instants = events.map(({ at }) => Date.parse(at));
    expect(Math.max(...instants) - Math.min(...instants)).toBeLessThan(700_000);
    const deliveredSeconds = Number(BigInt((await bill(leaseId)).deliveredNs) / 1_000_000_000n);
    expect(deliveredSeconds).toBeGreaterThan(560);
    expect(deliveredSeconds).toBeLessThanOrEqual(600);
  });

  test(`the server's clock stepped an hour ${which} alone: no host is lost, and a booking begins when it was booked for`, async () => {
    const { book, rounds, show, lender, server, clocks } = await open();
    await rounds(1, 1);
    const now = server.context.clock.now().getTime();
    const later = await book(600, new Date(now + 600_000).toISOString());
    market.clocks.stepServer(stepMs);
    await rounds(23, 25);
    expect((await show(later)).lease.state).toBe("booked");
    await rounds(3, 15);
    expect((await show(later)).lease.state).toBe("ready");
    const { host } = await lender.call("showHost", { params: { host: "h2" } });
    expect(host.state).toBe("seen");
    const { rows } = await server.database.pool.query(
      "select kind from host_event join host using (host_id) where name = 'h2' and kind in ('late', 'lost', 'back')",
    );
    expect(rows).toEqual([]);
    // And set right again, which is as great a step.
    clocks.stepServer(-stepMs);
    await rounds(25, 25);
    expect((await show(later)).lease).toMatchObject({ state: "ended", outcome: "completed" });
    expect(await disorderIn(server.database.pool, "always")).toEqual([]);
  });
}
