import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listPartitions } from "../../src/agent/allocation/store.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { pinProvider } from "../../src/agent/trust/pin.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import { MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { openCapacityBilling } from "./capacity-billing.ts";

/** A real agent with all its loops at a real server: what it meters comes, and is receipted. */
const { issue, market, server } = await openCapacityBilling();
const folder = makeTempFolder("on-line");
const soon = { timeout: 20_000, interval: 100 };
let agent: RunningAgent;

beforeAll(async () => {
  const { joinToken } = await market.owner.call("addHost", { body: { name: "attic" } });
  agent = await runAgent(
    {
      ...{ dataFolder: join(folder.path, "agent"), joinToken, standbyCores: "2-3" },
      ...{ readingEveryMs: 100, recordEveryMs: 200 },
    },
    { driver: createMemoryDriver(), machine: MACHINE, log: { ...testLog, debug: testLog.info } },
  );
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  folder.remove();
});

const db = server.database.kysely;
const counts = async () => {
  const hostId = agent.context.host.hostId;
  const { rows } = await sql<{ acts: number; records: number }>`
    select (select count(*)::int from capacity_act where host_id = ${hostId}) as acts,
      (select count(*)::int from usage_record r
        where r.chain_id in (select chain_id from capacity_chain where host_id = ${hostId}))
        as records`.execute(db);
  return rows[0] ?? { acts: 0, records: 0 };
};
const NOTHING = { acts: 0, resources: [{ quantity: "0" }] };
const unreported = () => showCapacity(agent.context).unreported[0];

test("what is metered on line is receipted by its provider, and nothing stays unreported", async () => {
  const { context } = agent;
  const card = await market.provider.call("showProviderCard");
  const pinned = pinProvider(context, card.cardJws);
  expect(pinned.ok).toBe(true);
  const size = { cpuMilli: 500, memoryBytes: 2 ** 28, diskBytes: 2 ** 28 };
  await market.owner.call("setPartition", {
    params: { host: "attic", name: "p1" },
    body: { size, min: { ...size, diskBytes: 0 }, max: size, cpuMode: "shared", lendable: false },
  });
  await vi.waitFor(() => expect(listPartitions(context.db)).toHaveLength(1), soon);
  const { jws } = await issue("attic");
  const done = await enable(context, { code: jws, shared: true });
  expect(done).toMatchObject({ service: { state: "in-service" } });
  await vi.waitFor(async () => expect((await counts()).records).toBeGreaterThan(5), soon);
  await giveBack(context, { shared: true });
  await vi.waitFor(() => expect(unreported()).toMatchObject(NOTHING), soon);
  await vi.waitFor(() => expect(unreported()?.resources[0]?.since).toBeNull(), soon);
});

test("a provider that lost acts and use is sent both again, of what is over, too", async () => {
  const whole = await counts();
  const { hostId } = agent.context.host;
  await db.transaction().execute(async (tx) => {
    // As an older database that was put back: what came after the first act never came.
    await sql`set local session_replication_role = replica`.execute(tx);
    await sql`delete from usage_record where chain_id in
      (select chain_id from capacity_chain where host_id = ${hostId})`.execute(tx);
    await sql`delete from usage_batch where chain_id in
      (select chain_id from capacity_chain where host_id = ${hostId})`.execute(tx);
    await sql`delete from capacity_chain where host_id = ${hostId}`.execute(tx);
    await sql`delete from capacity_act where host_id = ${hostId} and seq > 1`.execute(tx);
    await sql`delete from capacity_act_batch b where host_id = ${hostId} and not exists
      (select 1 from capacity_act a where a.batch_id = b.batch_id)`.execute(tx);
  });
  expect(await counts()).toEqual({ acts: 1, records: 0 });
  await enable(agent.context, { shared: true });
  await vi.waitFor(async () => {
    const { acts, records } = await counts();
    expect(acts).toBeGreaterThan(whole.acts);
    expect(records).toBeGreaterThan(whole.records);
  }, soon);
  await giveBack(agent.context, { shared: true });
  await vi.waitFor(() => expect(unreported()).toMatchObject(NOTHING), soon);
  const stand = await market.provider.call("showCapacityHost", { params: { host: hostId } });
  expect(stand.setBack).toEqual([]);
});
