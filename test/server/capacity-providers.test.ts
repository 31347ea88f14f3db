import { afterAll, expect, test } from "vitest";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { PartyId } from "../../src/unit/id.ts";
import {
  allowance,
  CORE_SECOND,
  HOUR_MS,
  NEXT_HOUR_MS,
  openCapacityBilling,
} from "./capacity-billing.ts";
import { TERMS } from "./capacity-market.ts";

const { billsOf, issue, market, newHost, send, server, verified } = await openCapacityBilling();
afterAll(() => server.stop());

test("two providers enable a partition's pool one after the other, and each bills its own excess", async () => {
  const other = await server.party("other-vendor", ["provider"]);
  await other.client.call("setCapacityTerms", { params: { resource: "cpu" }, body: TERMS });
  const second = { client: other.client, name: "other-vendor" };
  const { host, name, ledger } = await newHost();
  const codes = [await issue(name), await issue(name, { provider: second })];
  for (const [index, { code, jws }] of codes.entries()) {
    ledger.accept(code, jws);
    const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
    if (!meter) throw new Error("no meter");
    ledger.use(meter, NEXT_HOUR_MS + index * 1_200_000, 900, { cpuSeconds: 900 });
  }
  for (const providerId of [market.providerId, other.partyId as PartyId]) {
    ledger.timeToBill(providerId, NEXT_HOUR_MS + HOUR_MS / 2);
  }
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  const shown = bills.map(({ number, lender, lines }) => [
    ...[number, lender.name, ...lines.map(({ used, excess }) => [used, excess])],
  ]);
  const of = [`${900n * CORE_SECOND}`, `${300n * CORE_SECOND}`];
  expect(shown.toSorted()).toEqual([
    [1, "other-vendor", of],
    [1, "vendor", of],
  ]);
  for (const { billId } of bills) await verified(billId);
});

test("a time exports the capacity that was in use in it beside the leases, to customer and provider alike", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  const hours = [NEXT_HOUR_MS, NEXT_HOUR_MS + HOUR_MS, NEXT_HOUR_MS + 2 * HOUR_MS];
  for (const startMs of hours) {
    ledger.use(meter, startMs, 3600);
    ledger.timeToBill(market.providerId, startMs);
  }
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  expect(bills).toHaveLength(3);
  const at = (ms: number) => new Date(ms).toISOString();
  const within = { from: at(NEXT_HOUR_MS + HOUR_MS), to: at(NEXT_HOUR_MS + 2 * HOUR_MS) };
  for (const client of [market.owner, market.provider]) {
    const exported = await client.call("exportUsage", { query: within });
    const own = exported.capacity?.filter(({ hostId }) => hostId === host.hostId);
    // With the bill before, which it goes on from, and without the one behind.
    expect(own?.map((one) => one.bills.map(({ bill }) => bill.number))).toEqual([[1, 2]]);
    expect(verifyBill(exported).verified).toBe(true);
  }
  const before = { from: at(NEXT_HOUR_MS - 2 * HOUR_MS), to: at(NEXT_HOUR_MS - HOUR_MS) };
  expect((await market.owner.call("exportUsage", { query: before })).capacity).toBeUndefined();
  const stranger = await server.party("nobody", ["client"]);
  expect((await stranger.client.call("exportUsage", { query: within })).capacity).toBeUndefined();
});
