import { afterAll, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { bookingOf, offerOf, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer } from "./harness.ts";

const server = await startTestServer();
const { client, lender, host } = await openMarket(server);
afterAll(() => server.stop());

test("a report that the server fails on keeps back those of its lease, in order, and no other's", async () => {
  const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 0 };
  const params = { host: "h1", name: "own" };
  await lender.call("setPartition", {
    params,
    body: { lendable: true, cpuMode: "dedicated", size },
  });
  await lender.call("setOffer", { params, body: offerOf() });
  const leaseIds = [newId("lease"), newId("lease")];
  const [broken, sound] = leaseIds as [(typeof leaseIds)[0], (typeof leaseIds)[0]];
  const body = { leaseIds, ...bookingOf({ size, count: 2 }) };
  await client.call("bookLeases", { body });
  await server.pass();
  const { pool } = server.database;
  await pool.query(`create function fail() returns trigger language plpgsql as
    $$ begin raise exception 'a test' using errcode = 'SL009'; end $$`);
  await pool.query(`create trigger fail before insert on lease_event for each row
    when (new.lease_id = '${broken}' and new.detail->>'step' = 'one') execute function fail()`);
  const progress = (leaseId: typeof broken, step: string) => {
    const at = new Date().toISOString();
    return { kind: "progress" as const, reportId: newId("report"), leaseId, at, step };
  };
  const reports = [progress(broken, "one"), progress(broken, "two"), progress(sound, "one")];
  const send = () => host.agent.call("report", { body: { reports } });
  expect(await send()).toEqual({ accepted: [reports[2]?.reportId], refused: [] });
  const alone = host.agent.call("report", { body: { reports: reports.slice(0, 2) } });
  expect(await codeOf(alone)).toBe("internal");
  await pool.query("drop trigger fail on lease_event");
  expect((await send()).accepted).toEqual(reports.map(({ reportId }) => reportId));
  const shown = await client.call("showLease", { params: { leaseId: broken } });
  expect(shown.events.map(({ detail }) => detail.step).filter(Boolean)).toEqual(["one", "two"]);
});
