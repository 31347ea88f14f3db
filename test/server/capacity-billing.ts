import { sql } from "kysely";
import { expect } from "vitest";
import { capacityBillSchema } from "../../src/billing/capacity/bill.ts";
import { Ledger } from "../../src/billing/verify/capacity/ledger.sample.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { CapacityTerms, Threshold } from "../../src/enablement/capacity/terms.ts";
import { type HostId, newId } from "../../src/unit/id.ts";
import { openCapacityMarket } from "./capacity-market.ts";
import { capacity, enrolFakeHost, type FakeHost, GIB } from "./fake-host.ts";
import { startTestServer } from "./harness.ts";

export const HOUR_MS = 3_600_000;
export const NEXT_HOUR_MS = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
export const CORE_SECOND = 1000n * 1_000_000_000n;
export const allowance = (coreSeconds: number): Threshold => ({
  kind: "allowance",
  milliCoreNs: (BigInt(coreSeconds) * CORE_SECOND).toString(),
});

/** A market of capacity, and what tests of its bills do in it. */
export async function openCapacityBilling(more: Parameters<typeof startTestServer>[1] = {}) {
  const server = await startTestServer(undefined, more);
  const market = await openCapacityMarket(server);
  let hosts = 1;

  /** A host of its own for each test: bills are numbered by host. */
  async function newHost(): Promise<{ host: FakeHost; name: string; ledger: Ledger }> {
    const name = `m${++hosts}`;
    const host = await enrolFakeHost(server, market.owner, name);
    const base = { cpuMilli: 4000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
    const standby = { cpuMilli: 4000, memoryBytes: GIB, diskBytes: 0 };
    await host.agent.call("reportCapacity", { body: { ...capacity(base), standby } });
    return { host, name, ledger: new Ledger(host.hostId, host.key, NEXT_HOUR_MS) };
  }

  async function issue(
    name: string,
    {
      forSeconds = 86_400,
      quantity = 2000,
      terms = {} as Partial<CapacityTerms>,
      provider = { client: market.provider, name: "vendor" },
    } = {},
  ) {
    const { requestId } = await market.owner.call("requestCapacity", {
      body: {
        ...{ requestId: newId("request"), host: name, provider: provider.name },
        ...{ resource: "cpu" as const, quantity, forSeconds },
      },
    });
    const body = { codeId: newId("code"), request: requestId, terms };
    const { code, payload } = await provider.client.call("issueCode", { body });
    return { code: payload, jws: code.codeJws };
  }

  async function send(host: FakeHost, ledger: Ledger): Promise<void> {
    await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
    for (const meter of ledger.meters) {
      if (meter.records.length === 0) continue;
      await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter) } });
    }
  }

  /** The capacity bills of a host, by number, as its owner sees them. */
  async function billsOf(hostId: HostId) {
    await server.pass();
    const { bills } = await market.owner.call("listBills", { query: { limit: 200 } });
    const own = bills.filter((bill) => bill.host.id === hostId);
    const all = await Promise.all(
      own.map(async ({ billId }) => {
        const { bill } = await market.owner.call("showBill", { params: { billId } });
        return capacityBillSchema.parse(bill);
      }),
    );
    return all.toSorted((a, b) => a.number - b.number);
  }

  async function verified(billId: string) {
    const query = { billId: billId as `bill_${string}` };
    const exported = await market.owner.call("exportUsage", { query });
    const { verified: holds, findings } = verifyBill(exported);
    expect(findings.filter(({ severity }) => severity === "differs")).toEqual([]);
    expect(holds).toBe(true);
    return { exported, findings: findings.map(({ code }) => code) };
  }

  const balance = () =>
    sql<{ sum: bigint }>`select coalesce(sum(amount_micros), 0)::bigint as sum from ledger_entry`
      .execute(server.database.kysely)
      .then(({ rows }) => rows[0]?.sum);

  /** As if the deadline since its acts came, and since its last bill, had passed. */
  async function passed(hostId: HostId): Promise<void> {
    await server.database.kysely.transaction().execute(async (tx) => {
      // A pass that is under way is waited for: what it found would be set behind this.
      await sql`select 1 from host where host_id = ${hostId} for update`.execute(tx);
      await sql`alter table capacity_act disable trigger capacity_act_append`.execute(tx);
      await sql`update capacity_act set received_at = received_at - interval '73 hours'
        where host_id = ${hostId}`.execute(tx);
      await sql`alter table capacity_act enable trigger capacity_act_append`.execute(tx);
      await sql`update capacity_due set due_at = due_at - interval '73 hours'
        where host_id = ${hostId}`.execute(tx);
    });
  }

  return { server, market, newHost, issue, send, billsOf, verified, balance, passed };
}
