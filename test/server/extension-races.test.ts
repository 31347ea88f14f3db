import type { KyselyPlugin } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { report } from "../../src/api/agent/report.ts";
import { endLease } from "../../src/api/client/end-lease.ts";
import { extendLease } from "../../src/api/client/extend-lease.ts";
import type { ServerContext } from "../../src/api/context.ts";
import { lapseExtensionsOnce } from "../../src/billing/lapse-extensions.ts";
import { getHost } from "../../src/host/store.ts";
import { getParty } from "../../src/party/store.ts";
import { sign } from "../../src/signature/envelope.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import {
  acknowledgeExtension,
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  openMarket,
  readExtensions,
  readGrant,
} from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  await depositFor(server, "client", 90_000_000n);
});
afterAll(() => server.stop());

const HOUR = 3600;
const ask = (leaseId: LeaseId, seconds = HOUR) => {
  const params = { leaseId, extensionId: newId("extension") };
  return codeOf(market.client.call("extendLease", { params, body: { seconds } }));
};
const show = async (leaseId: LeaseId) =>
  (await market.client.call("showLease", { params: { leaseId } })).lease;

async function runningLease(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  await becomeReady(market.host, leaseId);
  return leaseId;
}

async function endAndWipe(leaseId: LeaseId): Promise<void> {
  const granted = await readGrant(market.host, leaseId);
  if ((await show(leaseId)).state !== "ending") {
    await market.client.call("endLease", { params: { leaseId } });
  }
  await becomeWiped(market.host, granted, []);
  await server.pass();
}

/** What must hold whoever won: one allocation, no more than the host has, holds that add up. */
async function expectOrder(): Promise<void> {
  const query = async (sql: string) => (await server.database.pool.query(sql)).rows;
  const now = await query(`
    select p.name, count(r.*)::int as allocations from partition p
    left join reservation r on r.partition_id = p.partition_id and r.period @> now()
    where p.removed_at is null group by p.name order by p.name`);
  expect(now).toEqual([
    { name: "lend", allocations: 1 },
    { name: "own", allocations: 1 },
  ]);
  const overlapping = await query(`
    select a.reservation_id from reservation a join reservation b on a.partition_id = b.partition_id
    where a.reservation_id < b.reservation_id and a.period && b.period`);
  expect(overlapping).toEqual([]);
  const over = await query(`
    select at from (select distinct lower(period) as at from reservation) p
    join reservation r on r.period @> p.at join host using (host_id)
    group by at, base_cpu_milli having sum(r.cpu_milli) > base_cpu_milli`);
  expect(over).toEqual([]);
  const wrongHolds = await query(`
    select l.lease_id, l.state, h.amount_micros from lease l join hold h using (lease_id)
    where h.released_at is null and h.amount_micros <> (l.quote->>'totalMicros')::bigint
      + (select coalesce(sum(x.additional_micros), 0) from lease_extension x
        where x.lease_id = l.lease_id and x.state = 'pending')`);
  expect(wrongHolds).toEqual([]);
  const heldForNothing = await query(`
    select l.lease_id from lease l join hold h using (lease_id)
    left join bill b on b.lease_id = l.lease_id
    where h.released_at is null and (b.bill_id is not null or l.outcome = 'cancelled')`);
  expect(heldForNothing).toEqual([]);
  const reservedForNothing = await query(`
    select l.lease_id from lease l join reservation r using (lease_id)
    where upper(r.period) > now() and l.state <> 'ended'
      and upper(r.period) <> interval '30 s' + coalesce((select max(x.ends_at)
        from lease_extension x where x.lease_id = l.lease_id and x.state = 'pending'),
        upper(l.period))`);
  expect(reservedForNothing).toEqual([]);
  const pendingOfEnded = await query(`
    select x.extension_id from lease_extension x join lease l using (lease_id)
    where x.state = 'pending' and l.state not in ('preparing', 'ready')`);
  expect(pendingOfEnded).toEqual([]);
}

test("of an extension and another's booking of the following period exactly one wins", async () => {
  const { client: other } = await server.party("other", ["client"]);
  await depositFor(server, "other", 10_000_000n);
  const winners = new Set<string>();
  for (let round = 0; round < 8; round++) {
    const leaseId = await runningLease();
    const end = Date.parse((await show(leaseId)).period?.end ?? "");
    const params = { leaseId: newId("lease") };
    const start = new Date(end + 30_000 + (round % 2) * 600_000).toISOString();
    const book = () => codeOf(other.call("bookLease", { params, body: bookingOf({ start }) }));
    const [booked, extended] =
      round % 4 < 2
        ? await Promise.all([book(), ask(leaseId)])
        : await Promise.all([ask(leaseId), book()]).then(([a, b]) => [b, a] as const);
    expect([booked, extended].filter((code) => code === "done")).toHaveLength(1);
    expect(booked).toBeOneOf(["done", "just-taken", "no-match"]);
    expect(extended).toBeOneOf(["done", "calendar-full"]);
    winners.add(booked === "done" ? "booking" : "extension");
    await expectOrder();
    if (booked === "done") await other.call("endLease", { params });
    await endAndWipe(leaseId);
  }
  expect(winners.size).toBeGreaterThan(0);
});

test("of two extensions at once one is taken, and the other is told that one is pending", async () => {
  const leaseId = await runningLease();
  const codes = await Promise.all([ask(leaseId), ask(leaseId, 2 * HOUR), ask(leaseId)]);
  expect(codes.toSorted()).toEqual(["done", "extension-pending", "extension-pending"]);
  await expectOrder();
  await acknowledgeExtension(market.host, leaseId);
  expect(await ask(leaseId)).toBe("done");
  await expectOrder();
  await endAndWipe(leaseId);
});

test("an extension and the end at once leave nothing pending, held or reserved", async () => {
  for (let round = 0; round < 6; round++) {
    const leaseId = await runningLease();
    const end = () => codeOf(market.client.call("endLease", { params: { leaseId } }));
    const extend = () => ask(leaseId);
    const codes = await Promise.all(round % 2 ? [end(), extend()] : [extend(), end()]);
    expect(codes).toContain("done");
    for (const code of codes) expect(code).toBeOneOf(["done", "lease-over"]);
    expect((await show(leaseId)).state).toBe("ending");
    await expectOrder();
    await endAndWipe(leaseId);
    await expectOrder();
  }
});

test("an extension and the host's expiry at once: it is taken and lapses, or it is too late", async () => {
  for (let round = 0; round < 6; round++) {
    const leaseId = await runningLease();
    const [code] = await Promise.all([
      ask(leaseId),
      market.host.report({ kind: "ending", leaseId, reason: "expired" }),
    ]);
    expect(code).toBeOneOf(["done", "lease-over"]);
    const lease = await show(leaseId);
    expect(lease.state).toBe("ending");
    const lapsed = [{ state: "lapsed", reason: "lease-ended" }];
    expect(lease.extensions).toMatchObject(code === "done" ? lapsed : []);
    await expectOrder();
    await endAndWipe(leaseId);
  }
});

test("an acknowledgement, the end and the lapse at once settle an extension once", async () => {
  const { client, host } = market;
  for (let round = 0; round < 6; round++) {
    const leaseId = await runningLease();
    await ask(leaseId);
    const [code] = await readExtensions(host, leaseId);
    // As if the host had been in contact long after the old end.
    await server.database.pool.query("update host set seen_at = now() + interval '2 h'");
    await Promise.all([
      acknowledgeExtension(host, leaseId, code),
      client.call("endLease", { params: { leaseId } }),
      acknowledgeExtension(host, leaseId, code),
      server.pass(),
      lapseExtensionsOnce({ db: server.database }, new Date(Date.now() + 2 * HOUR * 1000)),
    ]);
    const lease = await show(leaseId);
    expect(lease.state).toBe("ending");
    expect(lease.extensions[0]?.state).toBeOneOf(["in-force", "lapsed"]);
    const { events } = await client.call("showLease", { params: { leaseId } });
    expect(events.filter(({ kind }) => kind === "extended").length).toBeLessThan(2);
    await expectOrder();
    await endAndWipe(leaseId);
  }
});

test("booking, extension, re-cut and end at once leave one allocation and holds that add up", async () => {
  const { client, lender, host } = market;
  for (let round = 0; round < 6; round++) {
    const first = await runningLease();
    const end = Date.parse((await show(first)).period?.end ?? "");
    const second = { leaseId: newId("lease") };
    const start = new Date(end + 30_000 + round * 600_000).toISOString();
    const size = { cpuMilli: 1000 + 1000 * (round % 2), memoryBytes: 2 ** 31, diskBytes: 2 ** 30 };
    const setting = {
      params: { host: "h1", name: "lend" },
      body: {
        lendable: true,
        cpuMode: "dedicated" as const,
        size,
        max: { ...size, cpuMilli: 3000 },
      },
    };
    const codes = await Promise.all([
      codeOf(client.call("bookLease", { params: second, body: bookingOf({ start }) })),
      ask(first),
      codeOf(lender.call("setPartition", setting)),
      codeOf(client.call("endLease", { params: { leaseId: first } })),
      ask(first, 2 * HOUR),
      server.pass().then(() => "done"),
      codeOf(lender.call("setPartition", setting)),
    ]);
    const [booked, extended, recut, ended, again] = codes;
    expect(booked).toBeOneOf(["done", "just-taken", "no-match"]);
    for (const code of [extended, again]) {
      expect(code).toBeOneOf(["done", "calendar-full", "extension-pending", "lease-over"]);
    }
    expect(recut).toBe("partition-in-use");
    expect(ended).toBe("done");
    await expectOrder();
    if (booked === "done") await client.call("endLease", { params: second });
    await becomeWiped(host, await readGrant(host, first), []);
    await server.pass();
    await expectOrder();
  }
});

/** A database whose statement number `at`, counted over all, is never answered. */
function crashing(at: number): { context: ServerContext; crossed: () => number } {
  let count = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count += 1;
      if (count === at) throw new Error("the server was killed");
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const { db } = server.context;
  const kysely = db.kysely.withPlugin(plugin);
  const dying = Object.create(db, { kysely: { value: kysely } }) as typeof db;
  return { context: { ...server.context, db: dying }, crossed: () => count };
}

async function everything(): Promise<unknown> {
  const tables = ["lease", "lease_extension", "reservation", "hold", "lease_event"];
  const rows = await Promise.all(
    tables.map(async (table) => {
      const found = await server.database.pool.query(
        `select to_jsonb(t) - 'reservation_id' as row from ${table} t order by 1`,
      );
      return [table, found.rows];
    }),
  );
  return rows;
}

/** Kills the server at each statement in turn; what it left must be what was there before. */
async function killAtEach(work: (context: ServerContext) => Promise<unknown>): Promise<number> {
  for (let at = 1; ; at++) {
    const before = await everything();
    const { context, crossed } = crashing(at);
    const outcome = await work(context).then(
      () => "done",
      (error: Error) => error.message,
    );
    if (crossed() < at) {
      expect(outcome).toBe("done");
      return at - 1;
    }
    expect(outcome).toContain("killed");
    expect(await everything(), `killed at statement ${at}`).toEqual(before);
  }
}

test("a server killed between any two statements of an extension leaves nothing half done", async () => {
  const { host } = market;
  const leaseId = await runningLease();
  await server.pass();
  const { client: clientParty } = await show(leaseId);
  const keyId = newId("key");
  const party = { ...(await getParty(server.database.kysely, clientParty.name)), keyId };
  const asked = { params: { leaseId, extensionId: newId("extension") }, query: undefined as never };
  const extend = (context: ServerContext) =>
    extendLease(context, { caller: party, ...asked, body: { seconds: HOUR } });
  expect(await killAtEach(extend)).toBeGreaterThan(8);
  expect((await show(leaseId)).extensions).toMatchObject([{ state: "pending" }]);
  await expectOrder();

  const [code] = await readExtensions(host, leaseId);
  if (!code) throw new Error("there is a code");
  const caller = await getHost(server.database.kysely, host.hostId);
  const { jti, sequence, period } = code.grant;
  const at = new Date().toISOString();
  const word = { leaseId, hostId: host.hostId, grantJti: jti, sequence, end: period.end };
  const acknowledgementJws = sign("sublet-extended", { ...word, acknowledgedAt: at }, host.key);
  const body = {
    reports: [
      {
        ...{ reportId: newId("report"), at, leaseId, kind: "extended" as const },
        ...{ extensionJws: code.jws, acknowledgementJws },
      },
    ],
  };
  const none = { params: undefined as never, query: undefined as never };
  expect(await killAtEach((context) => report(context, { caller, ...none, body }))).toBeGreaterThan(
    4,
  );
  expect((await show(leaseId)).extensions).toMatchObject([{ state: "in-force" }]);
  await expectOrder();

  await ask(leaseId);
  const end = (context: ServerContext) =>
    endLease(context, {
      caller: party,
      params: { leaseId },
      ...{ query: none.query, body: none.params },
    });
  expect(await killAtEach(end)).toBeGreaterThan(8);
  await expectOrder();
  await endAndWipe(leaseId);
});
