import { afterAll, expect, test } from "vitest";
import { runCli } from "../cli/run-cli.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { exportOf } from "./exported.ts";
import { HOUR } from "./extension-market.ts";
import { acknowledgeExtension, GIB, offerOf, readExtensions, readGrant } from "./fake-host.ts";
import { depositFor, codeOf as refusalOf } from "./harness.ts";
import { openLentMarket, TURNAROUND } from "./lent-market.ts";

const { market, server, clock, codeOf, openHost, extend, show } = await openLentMarket();
const { client, lender } = market;
afterAll(() => server.stop());

/** What a code with so many hours of one core has left beside a lease. */
const leftOf = (hours: number, cores: number, seconds: number) =>
  hours * HOUR - cores * (seconds + TURNAROUND);
const inHours = (hours: number) =>
  new Date(clock.now().getTime() + hours * 3_600_000).toISOString();

test("a lease larger than the base is found with a lent code, and its grant names code and quantity", async () => {
  const code = codeOf();
  const { find, run, wish, report, unreserved, lentCodes } = await openHost("larger", []);
  const { mismatch } = await find(wish("a", 5));
  expect(mismatch?.reasons).toMatchObject([{ message: "its host has 3 cores left" }]);
  expect(mismatch?.counter).toMatchObject({ kind: "size", size: { cpuMilli: 3000 } });
  await report([code]);
  expect((await find(wish("a", 5))).match?.size.cpuMilli).toBe(5000);
  const { leaseId, granted } = await run(wish("a", 5));
  const standby = [{ codeId: code.codeId, resource: "cpu", quantity: 2000 }];
  expect(granted.grant).toMatchObject({ standby, partition: { size: { cpuMilli: 5000 } } });
  // Its resource-time is reserved for the whole lease.
  expect(await unreserved(code)).toBe(leftOf(10, 2, HOUR));
  const end = Date.parse((await show(leaseId)).period?.end ?? "");
  const reservedUntil = new Date(end + TURNAROUND * 1000).toISOString();
  expect(await lentCodes()).toMatchObject([{ inUse: 2000, isOpen: true, reservedUntil }]);
  const { host } = await lender.call("showHost", { params: { host: "larger" } });
  expect(host.free.cpuMilli).toBe(0);
});

test("what the base has room for takes nothing of a code", async () => {
  const code = codeOf();
  const { run, unreserved, wish } = await openHost("within", [code]);
  const { granted } = await run(wish("a", 3));
  expect(granted.grant.standby).toBeUndefined();
  expect(await unreserved(code)).toBe(10 * HOUR);
});

test("several codes serve one lease: the one that expires first first, memory in whole blocks", async () => {
  const late = codeOf({ cores: 3, validSeconds: 7 * HOUR });
  const early = codeOf({ cores: 1, validSeconds: 5 * HOUR });
  const memory = codeOf({ blocks: 8, hours: 20 });
  const { run, wish } = await openHost("several", [late, early, memory]);
  const size = { cpuMilli: 6000, memoryBytes: 7 * GIB + 130 * 2 ** 20, diskBytes: GIB };
  const { granted } = await run({ ...wish("a", 6), size });
  const block = 128 * 2 ** 20;
  expect(new Set(granted.grant.standby)).toEqual(
    new Set([
      { codeId: early.codeId, resource: "cpu", quantity: 1000 },
      { codeId: late.codeId, resource: "cpu", quantity: 2000 },
      { codeId: memory.codeId, resource: "memory", quantity: 2 * block },
    ]),
  );
});

test("a second lease that would need more cores or more time is refused and told why", async () => {
  const { book, find, wish } = await openHost("second", [codeOf({ cores: 2, hours: 10 })]);
  await book(wish("a", 5));
  // The base is taken but for one core, and the code has no more cores at present.
  const now = await find(wish("b", 2));
  expect(now.mismatch?.reasons).toMatchObject([{ message: "its host has 1 core left" }]);
  expect(await refusalOf(book(wish("b", 2)))).toBe("no-match");
  // Later it has the cores, and not the time: of ten hours of one core nearly eight are left.
  const later = { start: inHours(3), durationSeconds: 5 * HOUR };
  const { mismatch } = await find(wish("a", 5, later));
  expect(mismatch?.reasons).toMatchObject([
    { message: "its host has 4 cores left: its lent codes have no resource-time for more" },
  ]);
  expect(mismatch?.counter).toMatchObject({ kind: "size", size: { cpuMilli: 4000 } });
  expect(await refusalOf(book(wish("a", 5, later)))).toBe("no-match");
  expect(await refusalOf(book(wish("a", 4, later)))).toBe("done");
});

test("a code serves no lease that outlasts it, turnaround included", async () => {
  const { find, wish } = await openHost("expired", [codeOf({ validSeconds: HOUR })]);
  expect((await find(wish("a", 5))).match).toBeUndefined();
  const counter = (await find(wish("a", 5))).mismatch?.counter;
  if (counter?.kind !== "duration") throw new Error(`${counter?.kind} is no duration`);
  expect(counter.durationSeconds).toBeLessThanOrEqual(HOUR - TURNAROUND);
  expect(counter.durationSeconds).toBeGreaterThan(HOUR - TURNAROUND - 30);
  const shorter = { durationSeconds: counter.durationSeconds - 10 };
  expect((await find(wish("a", 5, shorter))).match).toBeDefined();
});

test("of twenty bookings at once as many get standby as its resource-time and its cores suffice for", async () => {
  const clients = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const name = `buyer-${index}`;
      const party = await server.party(name, ["client"]);
      await depositFor(server, name, 10_000_000n);
      return party.client;
    }),
  );
  const code = codeOf({ cores: 2, hours: 7 });
  const { book, unreserved, wish } = await openHost("race", [code]);
  // One after another, but all asked for at once: two cores for an hour each, of seven hours.
  const starts = clients.map((_, index) => inHours(1 + 1.1 * index));
  const outcomes = await Promise.all(
    clients.map((by, at) => refusalOf(book(wish("a", 5, { start: starts[at] ?? null }), by))),
  );
  expect(outcomes.filter((one) => one === "done")).toHaveLength(3);
  for (const one of outcomes) expect(one).toBeOneOf(["done", "no-match", "just-taken"]);
  expect(await unreserved(code)).toBe(7 * HOUR - 3 * 2 * (HOUR + TURNAROUND));

  const cores = await openHost("race-cores", [codeOf({ cores: 4, hours: 1000 })]);
  const params = { host: "race-cores" };
  const max = { cpuMilli: 8000, memoryBytes: 8 * GIB, diskBytes: 50 * GIB };
  const labels = { place: "race-cores-carved" };
  await lender.call("setCarveOffer", { params, body: { ...offerOf({ labels }), max } });
  for (const name of ["a", "b"]) {
    await lender.call("removePartition", { params: { ...params, name } });
  }
  // The first to come has four of the base, or three and so on: eight are there in all.
  const wanted = { ...cores.wish("a", 3), labels };
  const both = await Promise.all(clients.map((by) => refusalOf(cores.book(wanted, by))));
  expect(both.filter((one) => one === "done")).toHaveLength(2);
  const [code4] = await cores.lentCodes();
  expect(code4).toMatchObject({ inUse: 2000 });
});

test("an extension has the same codes for longer, or is refused with the latest end that would do", async () => {
  const code = codeOf({ cores: 2, hours: 6, validSeconds: 20 * HOUR });
  const { run, host, unreserved, wish } = await openHost("extended", [code]);
  const { leaseId, granted } = await run(wish("a", 5));
  const end = Date.parse(granted.grant.period.end);
  // Six hours of a core are three of two, of which the turnaround takes its part.
  const most = end + (3 * HOUR - (HOUR + TURNAROUND)) * 1000;
  const refused = extend(leaseId, 2 * HOUR);
  expect(await refusalOf(refused)).toBe("lent-capacity-short");
  await expect(refused).rejects.toThrow(new Date(most).toISOString());
  await extend(leaseId, HOUR);
  expect(await unreserved(code)).toBe(leftOf(6, 2, 2 * HOUR));
  const [extension] = await readExtensions(host, leaseId);
  expect(extension?.grant.standby).toEqual(granted.grant.standby);
  await acknowledgeExtension(host, leaseId);
});

test("an extension ends with its code's validity, or before another lease has the code's cores", async () => {
  const code = codeOf({ cores: 2, hours: 100, validSeconds: 3 * HOUR });
  const { run, wish, book } = await openHost("ends", [code]);
  const size = { cpuMilli: 3000, memoryBytes: GIB, diskBytes: GIB };
  const params = { host: "ends", name: "a" };
  const max = { ...size, cpuMilli: 8000 };
  const body = { lendable: true, cpuMode: "dedicated" as const, size, max };
  await lender.call("setPartition", { params, body });
  const { leaseId, granted } = await run(wish("a", 5));
  const validUntil = new Date(Date.parse(code.validity.end) - TURNAROUND * 1000).toISOString();
  await expect(extend(leaseId, 3 * HOUR)).rejects.toThrow(`than until ${validUntil}`);
  // A quarter of an hour later `b` has the one core that `a` leaves of the base, and one of the code.
  const end = Date.parse(granted.grant.period.end);
  const start = new Date(end + 900_000).toISOString();
  await book(wish("b", 2, { start, durationSeconds: 600 }));
  const until = new Date(end + (900 - TURNAROUND) * 1000).toISOString();
  await expect(extend(leaseId, HOUR)).rejects.toThrow(`than until ${until}`);
  expect(await refusalOf(extend(leaseId, 900 - TURNAROUND))).toBe("done");
});

test("a lease that ends early gives back what it did not use, one that never began gives back all", async () => {
  const code = codeOf();
  const { run, heard, unreserved, wish, wipe, book } = await openHost("early", [code]);
  const later = await book(wish("a", 5, { start: inHours(5) }));
  expect(await unreserved(code)).toBe(leftOf(10, 2, HOUR));
  await client.call("endLease", { params: { leaseId: later.leaseId } });
  expect(await unreserved(code)).toBe(10 * HOUR);
  const { leaseId } = await run(wish("a", 5));
  await heard(600);
  await wipe(leaseId);
  // Two cores until the wipe: ten minutes, and what this test took.
  const used = 10 * HOUR - (await unreserved(code));
  expect(used).toBeGreaterThanOrEqual(2 * 600);
  expect(used).toBeLessThan(2 * (600 + 60));
});

test("a lease that waited in vain for its predecessor's wipe had nothing of a code", async () => {
  const code = codeOf();
  const { run, heard, unreserved, wish, book } = await openHost("waited", [code]);
  await run(wish("a", 3, { durationSeconds: 600 }));
  const next = { start: inHours(660 / HOUR), durationSeconds: 600 };
  const { leaseId } = await book(wish("a", 5, next));
  expect(await unreserved(code)).toBe(leftOf(10, 2, 600));
  for (const seconds of [700, 700]) {
    await heard(seconds);
    await server.pass();
  }
  expect(await show(leaseId)).toMatchObject({ state: "ended", outcome: "not-delivered" });
  expect(await unreserved(code)).toBe(10 * HOUR);
});

test("a guest that is not wiped in time goes on holding its standby, beyond the code's own end", async () => {
  const code = codeOf({ cores: 2, hours: 3, validSeconds: HOUR + 120 });
  const { run, heard, lentCodes, wish, wipe } = await openHost("overrun", [code]);
  const { leaseId } = await run(wish("a", 5));
  for (const seconds of [HOUR + TURNAROUND - 5, 55, 55, 55]) {
    await heard(seconds);
    await server.pass();
  }
  const [held] = await lentCodes();
  expect(held).toMatchObject({ inUse: 2000 });
  expect(Date.parse(held?.reservedUntil ?? "")).toBeGreaterThan(Date.parse(code.validity.end));
  await wipe(leaseId);
  expect(await lentCodes()).toMatchObject([{ inUse: 0, reservedUntil: null }]);
});

test("the client's quote and bill are for the whole size", async () => {
  const { run, find, heard, wish, wipe } = await openHost("billed", [codeOf()]);
  const { match } = await find(wish("a", 5));
  // Five cores, a GiB of memory and one of disk for an hour; a quote is in whole cents.
  expect(match?.quote.totalMicros).toBe("520000");
  const { leaseId } = await run(wish("a", 5));
  await heard(HOUR);
  await wipe(leaseId, [HOUR]);
  await server.pass();
  const { bill } = await exportOf(client, (await show(leaseId)).billId);
  expect(bill.sumMicros).toBe("511000");
});

test("a code that leases have reserved is not kept; one that nobody has is closed at once", async () => {
  const code = codeOf();
  const { codeId } = code;
  const own = await openHost("kept", [code]);
  const { leaseId, granted } = await own.run(own.wish("a", 5));
  const until = new Date(Date.parse(granted.grant.period.end) + TURNAROUND * 1000).toISOString();
  const refused = own.keep(codeId);
  expect(await refusalOf(refused)).toBe("code-reserved");
  await expect(refused).rejects.toThrow(until);
  expect((await own.host.agent.call("readDesired")).capacityOrders).toEqual([]);
  await own.wipe(leaseId);
  const { orderId } = await own.keep(codeId);
  // Its host lends it until it has read the order, and this server no more.
  await own.report([code]);
  expect((await own.find(own.wish("a", 5))).match).toBeUndefined();
  const answer = (id: typeof orderId, outcome: string) =>
    own.host.agent.call("answerCapacityOrder", {
      params: { orderId: id },
      body: { outcome, message: "so it is" },
    });
  await answer(orderId, "code-serves-lease");
  expect((await own.find(own.wish("a", 5))).match).toBeDefined();
  const again = await own.keep(codeId);
  await answer(again.orderId, "done");
  expect((await own.find(own.wish("a", 5))).match).toBeUndefined();
  expect(await own.lentCodes()).toEqual([]);
});

test("a code that its host names no more goes, and serves to its end the leases that have of it", async () => {
  const code = codeOf();
  const { run, report, find, lentCodes, wish, wipe, host } = await openHost("silent", [code]);
  const { leaseId, granted } = await run(wish("a", 5));
  await report();
  expect(await lentCodes()).toMatchObject([{ codeId: code.codeId, isOpen: false, inUse: 2000 }]);
  expect((await readGrant(host, leaseId)).grant.standby).toEqual(granted.grant.standby);
  expect(await refusalOf(extend(leaseId, 60))).toBe("lent-capacity-short");
  expect((await find(wish("b", 2, { start: inHours(2) }))).match).toBeDefined();
  expect((await find(wish("b", 3, { start: inHours(2) }))).match).toBeUndefined();
  await wipe(leaseId);
  expect(await lentCodes()).toEqual([]);
});

test("the same loan told again goes on; lent anew with what is left, nothing is counted twice", async () => {
  const code = codeOf();
  const { run, report, heard, unreserved, wish, wipe } = await openHost("again", [code]);
  const { leaseId } = await run(wish("a", 5));
  await heard(600);
  await wipe(leaseId);
  const left = await unreserved(code);
  await report();
  await report([code]);
  expect(await unreserved(code)).toBe(left);
  const rest = 9 * HOUR;
  await report([{ ...code, resourceTime: (BigInt(rest) * 1_000_000_000_000n).toString() }]);
  expect(await unreserved(code)).toBe(rest);
});

test("a host's owner sees what is lent, what of it is in use, and what is unreserved", async () => {
  const code = codeOf();
  const { run, wish } = await openHost("shown", [code]);
  await run(wish("a", 5));
  const { partyId } = await lender.call("whoami");
  const params = { party: partyId };
  const { key } = await server.operator.call("addKey", { params, body: { label: "shown" } });
  const folder = makeTempFolder("lent");
  const environment = { server: server.url, key };
  const { stdout } = await runCli(["host", "show", "shown"], folder.path, environment);
  folder.remove();
  const row = stdout.split("\n").find((line) => line.includes(code.codeId));
  expect(row).toMatch(/ 2 cores +2 cores +7.98 core-hours /);
});

test("what is promised of a code stays, whatever its host says of it later", async () => {
  const code = codeOf();
  const { book, report, lentCodes, unreserved, wish } = await openHost("promised", [code]);
  await book(wish("a", 5, { start: inHours(2) }));
  await report([{ ...code, resourceTime: "5" }]);
  expect(await unreserved(code)).toBe(leftOf(10, 2, HOUR));
  expect(await lentCodes()).toMatchObject([{ isOpen: false }]);
  const { events } = await lender.call("showHost", { params: { host: "promised" } });
  expect(events).toMatchObject([{ kind: "lent-code-short" }, { kind: "enrolled" }]);
});

test("the database itself gives no standby away twice, whoever writes it", async () => {
  const code = codeOf({ cores: 2, hours: 10 });
  const short = codeOf({ cores: 2, hours: 1 });
  const brief = codeOf({ cores: 2, validSeconds: 2.5 * HOUR });
  const { book, wish } = await openHost("by-hand", [code, short, brief]);
  const { leaseId } = await book(wish("a", 5, { start: inHours(2) }));
  const beside = await book(wish("b", 1, { start: inHours(2) }));
  const later = await book(wish("a", 1, { start: inHours(4) }));
  const id = `lease_id = '${leaseId}'`;
  const part = `reservation_id in (select reservation_id from reservation where ${id})`;
  const theCode = `code_id = '${code.codeId}'`;
  /** Gives a booked lease a core more, by a code. */
  const add = (lease: string, { codeId } = code) =>
    `update reservation set cpu_milli = cpu_milli + 1000, standby_cpu_milli = 1000
       where lease_id = '${lease}';
     insert into standby_reservation (reservation_id, host_id, code_id, quantity)
       select reservation_id, host_id, '${codeId}', 1000 from reservation
       where lease_id = '${lease}'`;
  const set = (columns: string) => `update reservation set ${columns} where ${id}`;
  // More than one statement at once are one transaction.
  const write = (statements: string) => server.database.pool.query(statements);
  const tries: readonly (readonly [string, string])[] = [
    ["lent_code_quantity", add(beside.leaseId)],
    ["lent_code_time", add(later.leaseId, short)],
    ["lent_code_validity", add(later.leaseId, brief)],
    [
      "lent_code_closed",
      `update lent_code set reported = false where ${theCode}; ${add(later.leaseId)}`,
    ],
    [
      "standby_capacity",
      `update host set standby_cpu_milli = 2000 where name = 'by-hand'; ${add(beside.leaseId, short)}`,
    ],
    ["standby_by_code", set("cpu_milli = 4000, standby_cpu_milli = 1000")],
    ["standby_has_base", set("standby_cpu_milli = 5000")],
    ["standby_whole", set("standby_cpu_milli = 500")],
    [
      "standby_for_leases",
      "update reservation set cpu_milli = 3000, standby_cpu_milli = 1000 where lease_id is null",
    ],
    ["host_capacity", set("cpu_milli = 6000")],
    ["standby_fixed", `delete from standby_reservation where ${part}`],
    ["standby_fixed", `update standby_reservation set quantity = 1000 where ${part}`],
    ["lent_code_reserved", `update lent_code set quantity = 1000 where ${theCode}`],
    ["lent_code_reserved", `update lent_code set resource_time = 7 where ${theCode}`],
    [
      "lent_code_reserved",
      `update lent_code set validity = tstzrange(lower(validity), lower(validity) + '1 hour') where ${theCode}`,
    ],
  ];
  for (const [constraint, statements] of tries) {
    await expect(write(statements), statements).rejects.toMatchObject({ constraint });
  }
  // What is right is taken: so the others were refused for what they are named.
  await write(add(later.leaseId));
});
