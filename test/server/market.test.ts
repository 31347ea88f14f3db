import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/api/client/client.ts";
import type { SentBody } from "../../src/api/contract/contract.ts";
import { newId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  capacity,
  enrolFakeHost,
  type FakeHost,
  GIB,
  makeRecords,
  offerOf,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf } from "./harness.ts";
import { openSearchMarket, placesOf, reasonsAt } from "./search-market.ts";

const { book, endAndWipe, find, market, server } = await openSearchMarket();
afterAll(() => server.stop());

describe("conditions of an offer", () => {
  const params = { host: "h1", name: "lend" };
  const offer = (change: Partial<SentBody<"setOffer">> = {}) =>
    market.lender.call("setOffer", { params, body: offerOf(change) });

  test("only within its windows is a partition lent, and the next one is the counter-offer", async () => {
    const windows = [{ days: ["mon" as const], from: "08:00", to: "20:00" }];
    await offer({ windows, timeZone: "Europe/Berlin" });
    const inside = "2027-03-29T06:00:00.000Z"; // A Monday at 08:00 in Berlin, one day into summer.
    expect(placesOf(await find({ start: inside, durationSeconds: 12 * 3600 }))).toEqual([
      "h1/lend",
    ]);
    const found = await find({ start: "2027-03-26T06:00:00.000Z", durationSeconds: 12 * 3600 });
    expect(reasonsAt(found, "h1")).toEqual(["outside-windows"]);
    expect(found.mismatches[0]?.reasons[0]?.message).toBe(
      "it is lent mon 08:00-20:00 Europe/Berlin",
    );
    expect(found.mismatches[0]?.counter).toEqual({ kind: "start", start: inside });
    const late = await find({ start: inside, durationSeconds: 12 * 3600 + 1 });
    expect(late.mismatches[0]).toMatchObject({
      reasons: [{ code: "outside-windows" }],
      // No window is so long: there is the whole of one.
      counter: { kind: "duration", durationSeconds: 12 * 3600 },
    });
    await offer();
  });

  test("a window or time zone that is none is refused", async () => {
    const refused = async (change: Partial<SentBody<"setOffer">>) => codeOf(offer(change));
    expect(await refused({ timeZone: "Europe/Atlantis" })).toBe("invalid-input");
    const windows = [{ days: ["mon" as const], from: "20:00", to: "08:00" }];
    expect(await refused({ windows })).toBe("invalid-input");
    expect(await refused({ borrowers: { who: "only", parties: ["nobody"] } })).toBe("not-found");
  });

  test("whoever may not borrow never sees the offer, neither as match nor as mismatch", async () => {
    const { client: other } = await server.party("other", ["client"]);
    const seenBy = async (client: Client) => {
      const found = await find({}, client);
      const tooMuch = await find({ durationSeconds: 8 * 86_400 }, client);
      return [found.matches.length, found.mismatches.length + tooMuch.mismatches.length];
    };
    const set = await offer({ borrowers: { who: "only", parties: ["client"] } });
    expect(set.borrowers).toMatchObject({ who: "only", parties: [{ name: "client" }] });
    expect(await seenBy(market.client)).toEqual([1, 1]);
    expect(await seenBy(other)).toEqual([0, 0]);
    const offerId = set.offerId;
    const booking = { params: { leaseId: newId("lease") }, body: bookingOf({}, { offerId }) };
    expect(await codeOf(other.call("bookLease", booking))).toBe("no-match");
    await offer({ borrowers: { who: "except", parties: ["client"] } });
    expect(await seenBy(market.client)).toEqual([0, 0]);
    expect(await seenBy(other)).toEqual([1, 1]);
    await offer();
    expect(await seenBy(other)).toEqual([1, 1]);
  });

  test("labels and the internet are matched, and the grant says whether there is internet", async () => {
    await offer({ labels: { region: "eu", tier: "a" }, internet: true });
    expect(placesOf(await find({ labels: { region: "eu" } }))).toEqual(["h1/lend"]);
    const elsewhere = await find({ labels: { region: "us", colour: "red" } });
    expect(elsewhere.mismatches[0]?.reasons).toEqual([
      { code: "labels", message: "its region is eu" },
      { code: "labels", message: "it has no label colour" },
    ]);
    const grantOf = async (internet: boolean) => {
      const { leaseId } = await book({ internet });
      await server.pass();
      const { grant } = await readGrant(market.host, leaseId);
      await endAndWipe(market.host, leaseId);
      return grant.internet;
    };
    expect(await grantOf(true)).toBe(true);
    expect(await grantOf(false)).toBe(false);
    await offer();
    expect(reasonsAt(await find({ internet: true }), "h1")).toEqual(["internet"]);
  });

  test("a host that cannot give the internet is not matched, and may not offer it", async () => {
    await offer({ internet: true });
    const { facts, ...told } = capacity({
      cpuMilli: 4000,
      memoryBytes: 8 * GIB,
      diskBytes: 100 * GIB,
    });
    const without = { ...facts, internet: false, internetReason: "nft is missing" };
    const report = (given: typeof facts) =>
      market.host.agent.call("reportCapacity", { body: { ...told, facts: given } });
    await report(without);
    expect(reasonsAt(await find({ internet: true }), "h1")).toEqual(["internet-unavailable"]);
    expect(placesOf(await find())).toEqual(["h1/lend"]);
    expect(await codeOf(offer({ internet: true }))).toBe("internet-unsupported");
    await offer();
    await report(facts);
  });
});

describe("shared cpu", () => {
  const params = { host: "pool", name: "slice" };
  const half = { cpuMilli: 500, memoryBytes: GIB, diskBytes: GIB };
  const SHARED = { cpuMode: "shared" as const, size: half };
  const base = { cpuMilli: 3750, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
  let pool: FakeHost;
  beforeAll(async () => {
    pool = await enrolFakeHost(server, market.lender, "pool", base);
    const body = { lendable: true, cpuMode: "shared" as const, size: { ...half, cpuMilli: 1500 } };
    await market.lender.call("setPartition", { params, body });
    const prices = { priceMicrosPerCoreHour: "900000", priceMicrosPerSharedCoreHour: "80000" };
    await market.lender.call("setOffer", { params, body: offerOf(prices) });
  });

  test("is refused by name where the host cannot share cores", async () => {
    expect(reasonsAt(await find(SHARED), "pool")).toEqual(["shared-cpu-unavailable"]);
    const { capacity } = await import("./fake-host.ts");
    const { facts, ...rest } = capacity(base);
    const body = { ...rest, facts: { ...facts, sharedCpu: true } };
    await pool.agent.call("reportCapacity", { body });
    expect(placesOf(await find(SHARED))).toEqual(["pool/slice"]);
  });

  test("is quoted by the most that can be used, held, and billed by what was used", async () => {
    const found = await find(SHARED);
    expect(found.matches[0]?.quote).toEqual({
      perHourMicros: "51000",
      fixedMicros: "11000",
      meteredMaxMicros: "40000",
      totalMicros: "60000",
    });
    const before = await market.client.call("showAccount");
    const { leaseId } = await book(SHARED);
    const held = await market.client.call("showAccount");
    expect(BigInt(held.holdsMicros) - BigInt(before.holdsMicros)).toBe(60_000n);
    await server.pass();
    const granted = await readGrant(pool, leaseId);
    await becomeReady(pool, leaseId);
    // Half of the entitlement used for half an hour.
    const records = makeRecords(pool, granted, [1800], { cpuNs: 450_000_000_000n });
    await pool.agent.call("sendUsage", { body: { usageJws: signBatch(pool, records) } });
    await market.client.call("endLease", { params: { leaseId } });
    await becomeWiped(pool, granted, records);
    await server.pass();
    const { lease } = await market.client.call("showLease", { params: { leaseId } });
    const params = { billId: lease.billId ?? "bill_" } as const;
    const { bill } = await market.client.call("showBill", { params });
    expect(bill.lines[0]).toMatchObject({
      resource: "cpu",
      rule: "used-while-delivered",
      quantity: "450000000000000",
      priceMicrosPerHour: "80000",
      amountMicros: "10000",
    });
    expect(bill.sumMicros).toBe("15500");
    const { verifyBill } = await import("../../src/billing/verify/verify-bill.ts");
    const exported = await market.client.call("exportUsage", { query: params });
    expect(verifyBill(exported)).toMatchObject({ verified: true, totalMicros: "20000" });
  });
});

test("a booking for later is countered with the earliest time, and the nearest counter-offer comes first", async () => {
  const start = new Date(Date.now() + 30 * 86_400_000).toISOString();
  const { offers } = await market.lender.call("listOffers");
  const offerId = offers.find(({ partition }) => partition?.name === "lend")?.offerId;
  const params = { leaseId: newId("lease") };
  await market.client.call("bookLease", { params, body: bookingOf({ start }, { offerId }) });
  const hourLater = new Date(new Date(start).getTime() + 3_630_000).toISOString();
  const found = await find({ start });
  const [first] = found.mismatches;
  expect(first).toMatchObject({
    partition: { name: "lend" },
    reasons: [{ code: "taken" }],
    counter: { kind: "start", start: hourLater },
  });
  const asked = await find({ start: hourLater });
  expect(placesOf(asked)).toContain("h1/lend");
  await market.client.call("endLease", { params });
});
