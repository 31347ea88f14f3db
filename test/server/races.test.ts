import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { newId } from "../../src/unit/id.ts";
import { testLog } from "../setup/log.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  openMarket,
  readGrant,
} from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(() => server.stop());

test("of twenty clients at once for one partition one gets it, and the others are told why", async () => {
  const clients = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const name = `racer-${index}`;
      const { client } = await server.party(name, ["client"]);
      await depositFor(server, name, 1_000_000n);
      return client;
    }),
  );
  const codes = await Promise.all(
    clients.map((client) => {
      const params = { leaseId: newId("lease") };
      return codeOf(client.call("bookLease", { params, body: bookingOf() }));
    }),
  );
  expect(codes.filter((code) => code === "done")).toHaveLength(1);
  for (const code of codes) expect(code).toBeOneOf(["done", "just-taken", "no-match"]);
  const { rows } = await server.database.pool.query(
    "select count(*)::int as holds from hold where released_at is null",
  );
  expect(rows).toEqual([{ holds: 1 }]);
  await endEverything();
});

test("one client's bookings at once never hold more than it has", async () => {
  const { client } = await server.party("spender", ["client"]);
  await depositFor(server, "spender", 250_000n);
  const codes = await Promise.all(
    Array.from({ length: 6 }, (_, day) => {
      const start = new Date(Date.now() + (day + 1) * 86_400_000).toISOString();
      const params = { leaseId: newId("lease") };
      return codeOf(client.call("bookLease", { params, body: bookingOf({ start }) }));
    }),
  );
  expect(codes.toSorted()).toEqual([
    "done",
    "done",
    "funds-short",
    "funds-short",
    "funds-short",
    "funds-short",
  ]);
  expect(await client.call("showAccount")).toMatchObject({ freeMicros: "10000" });
});

test("booking, ending and re-cutting at once leave one allocation at every instant", async () => {
  const { client, lender, host } = market;
  for (let round = 0; round < 5; round++) {
    const leaseId = newId("lease");
    const params = { leaseId };
    const setting = {
      params: { host: "h1", name: "lend" },
      body: {
        lendable: true,
        cpuMode: "dedicated" as const,
        size: { cpuMilli: 1000 + 1000 * (round % 2), memoryBytes: 2 ** 31, diskBytes: 2 ** 30 },
        max: { cpuMilli: 3000, memoryBytes: 2 ** 31, diskBytes: 2 ** 34 },
      },
    };
    const codes = await Promise.all([
      codeOf(client.call("bookLease", { params, body: bookingOf() })),
      codeOf(lender.call("setPartition", setting)),
      codeOf(client.call("endLease", { params })),
      server.pass().then(() => "done"),
      codeOf(lender.call("setPartition", setting)),
    ]);
    expect(codes[0]).toBe("done");
    expect(codes[1]).toBeOneOf(["done", "partition-in-use"]);
    await expectOneAllocation();
    const { lease } = await client.call("showLease", { params });
    if (lease.state !== "ended") {
      await client.call("endLease", { params });
      const after = await client.call("showLease", { params });
      if (after.lease.state === "ending") {
        await becomeWiped(host, await readGrant(host, leaseId), []);
      }
    }
    await server.pass();
    await expectOneAllocation();
  }
});

async function expectOneAllocation(): Promise<void> {
  const { rows } = await server.database.pool.query(`
    select p.name, count(r.*)::int as allocations from partition p
    left join reservation r on r.partition_id = p.partition_id and r.period @> now()
    where p.removed_at is null group by p.name order by p.name`);
  expect(rows).toEqual([
    { name: "lend", allocations: 1 },
    { name: "own", allocations: 1 },
  ]);
}

test("two servers over one database grant a lease once and close its bill once", async () => {
  const { client, host } = market;
  const params = { leaseId: newId("lease") };
  await client.call("bookLease", { params, body: bookingOf() });
  await Promise.all([server.pass(), server.pass(), server.pass()]);
  const granted = await readGrant(host, params.leaseId);
  await client.call("endLease", { params });
  await becomeWiped(host, granted, []);
  await Promise.all([server.pass(), server.pass(), server.pass()]);
  const { events } = await client.call("showLease", { params });
  const kinds = events.map((event) => event.kind);
  expect(kinds).toEqual(["booked", "preparing", "ending", "ended", "billed"]);
});

test("going around the code that asks first meets the database's own freeze", async () => {
  const { client, host } = market;
  const params = { leaseId: newId("lease") };
  await client.call("bookLease", { params, body: bookingOf() });
  await server.pass();
  await becomeReady(host, params.leaseId);
  const admin = await connect({ connection: addressOf(), log: testLog, poolMax: 1 });
  const { pool } = admin;
  const refused = async (statement: string) => {
    try {
      await pool.query(statement.replaceAll("$lease", params.leaseId));
      return "done";
    } catch (error) {
      return (error as { constraint?: string; code?: string }).constraint;
    }
  };
  const id = "partition_id = (select partition_id from lease where lease_id = '$lease')";
  for (const statement of [
    `update partition set memory_bytes = memory_bytes / 2 where ${id}`,
    `update partition set lendable = false where ${id}`,
    `update partition set generation = generation + 1 where ${id}`,
    `update partition set removed_at = now() where ${id}`,
    `delete from partition where ${id}`,
    "update reservation set cpu_milli = 2000 where lease_id = '$lease'",
    "update reservation set period = tstzrange(lower(period), now()) where lease_id = '$lease'",
    "delete from reservation where lease_id = '$lease'",
    "update lease set cpu_milli = 2000 where lease_id = '$lease'",
    `insert into reservation select 'reservation_x', host_id, partition_id, null, 1000, 1, 0,
      tstzrange(now(), now() + '1 minute') from lease where lease_id = '$lease'`,
  ]) {
    expect(await refused(statement), statement).toBe("partition_in_use");
  }
  expect(await refused("update lease set state = 'booked' where lease_id = '$lease'")).toBe(
    "lease_state",
  );
  expect(
    await refused(
      "update lease set state = 'ended', outcome = 'completed', ended_at = now() where lease_id = '$lease'",
    ),
  ).toBe("lease_wiped_before_ended");
  expect(await refused("update lease set tariff = '{}' where lease_id = '$lease'")).toBe(
    "lease_terms",
  );
  const end = "update lease set state = 'ended', outcome = 'failed'";
  for (const [statement, constraint] of [
    [`${end}, grant_jws = null where lease_id = '$lease'`, "lease_terms"],
    [`${end}, wipe_receipt_jws = '' where lease_id = '$lease'`, "lease_wiped_before_ended"],
    ["update lease set grant_jws = 'a.b.c' where lease_id = '$lease'", "lease_terms"],
    ["update lease set ssh_public_key = 'other' where lease_id = '$lease'", "lease_terms"],
    ["update lease set quote = '{}' where lease_id = '$lease'", "lease_terms"],
    ["delete from lease where lease_id = '$lease'", "lease_state"],
    [
      `insert into lease select (x."row").* from (select jsonb_populate_record(l,
        jsonb_build_object('lease_id', 'lease_x', 'period', '[2091-01-01,2091-01-02)'))
        as "row" from lease l where lease_id = '$lease') x`,
      "lease_state",
    ],
    ["delete from lease_event where lease_id = '$lease'", "append_only"],
    ["truncate lease cascade", "append_only"],
    ["truncate reservation cascade", "append_only"],
    ["truncate standby_reservation", "append_only"],
    ["truncate lent_code cascade", "append_only"],
    ["truncate ledger_entry", "append_only"],
    ["truncate usage_record cascade", "append_only"],
    ["delete from hold where lease_id = '$lease'", "hold_terms"],
    ["update hold set amount_micros = 0 where lease_id = '$lease'", "hold_terms"],
    ["update signing_key set private_jwk = '{}'", "append_only"],
    ["delete from setting", "append_only"],
    [
      "insert into ledger_transaction values ('transaction_x', 'bill', 'x', now())",
      "ledger_balanced",
    ],
    [
      `insert into ledger_entry select transaction_id, 'fee', 1 from ledger_transaction limit 1`,
      "ledger_posted",
    ],
  ] as const) {
    expect(await refused(statement), statement).toBe(constraint);
  }
  // What is longer is no change of what is allocated.
  expect(
    await refused(
      "update reservation set period = tstzrange(lower(period), upper(period)) where lease_id = '$lease'",
    ),
  ).toBe("done");
  await admin.close();
  const granted = await readGrant(host, params.leaseId);
  await client.call("endLease", { params });
  await becomeWiped(host, granted, []);
});

test("two leases cannot hold one partition at one instant, whoever writes them", async () => {
  const { client } = market;
  const params = { leaseId: newId("lease") };
  await client.call("bookLease", { params, body: bookingOf() });
  const copy = (leaseId: string, period: string) =>
    server.database.pool.query(
      `insert into lease select (x."row").* from (
        select jsonb_populate_record(l, jsonb_build_object('lease_id', $1::text,
          'period', $2::text, 'state', 'booked', 'grant_jws', null)) as "row"
        from lease l where lease_id = $3) x`,
      [leaseId, period, params.leaseId],
    );
  const soon = `[${new Date(Date.now() + 60_000).toISOString()},${new Date(Date.now() + 120_000).toISOString()})`;
  await expect(copy(newId("lease"), soon)).rejects.toMatchObject({ constraint: "lease_exclusive" });
  await server.pass();
  const second = newId("lease");
  await copy(second, "[2090-01-01T00:00:00Z,2090-01-02T00:00:00Z)");
  const grant = "update lease set state = 'preparing', grant_jws = 'a.b.c' where lease_id = $1";
  await expect(server.database.pool.query(grant, [second])).rejects.toMatchObject({
    constraint: "lease_in_use",
  });
  await server.database.pool.query(
    "update lease set state = 'ended', outcome = 'cancelled', period = 'empty' where lease_id = $1",
    [second],
  );
  await endEverything();
});

function addressOf() {
  const { host, port, user, database, connectionString } = server.database.clientConfig as {
    host: string;
    port: number;
    user: string;
    database: string;
    connectionString?: string;
  };
  return connectionString ? { url: connectionString } : { host, port, user, database };
}

async function endEverything(): Promise<void> {
  await server.pass();
  const { leases } = await market.host.agent.call("readDesired");
  const { orderEnd } = await import("../../src/enablement/grant-due.ts");
  const { lockLease } = await import("../../src/lease/store.ts");
  const issuer = { serverId: server.context.serverId, key: server.context.keys.current };
  for (const { leaseId } of leases) {
    await server.database.kysely.transaction().execute(async (tx) => {
      const lease = await lockLease(tx, leaseId);
      if (lease.state !== "ending") await orderEnd(tx, issuer, lease, "a-test", new Date());
    });
    await becomeWiped(market.host, await readGrant(market.host, leaseId), [], "a-test");
  }
  await server.pass();
}
