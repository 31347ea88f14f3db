import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import type { PartyId } from "../../src/unit/id.ts";
import { startTestServer, type TestServer } from "./harness.ts";
import { anyStep, History, type MoneyMarket, openMoneyMarket, type Step } from "./money-history.ts";

let server: TestServer;
let market: MoneyMarket;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMoneyMarket(server);
});
afterAll(() => server.stop());

/** Longer on a slow machine is no failure: what was tried by then was right. */
const TIME_LIMIT_MS = 20_000;

/** Everything that there is, once at least, so that a slow machine has tried it too. */
const EVERYTHING: readonly Step[] = [
  { kind: "deposit", cents: 60 },
  { kind: "book", days: 0, seconds: 7200 },
  { kind: "fee", ppm: 25_000, own: true },
  { kind: "book", days: 1, seconds: 3600 },
  { kind: "credit", cents: 30 },
  { kind: "book", days: 0, seconds: 600 },
  { kind: "extend", pick: 0, taken: true },
  { kind: "partial", pick: 0, seconds: 1800 },
  { kind: "partial", pick: 2, seconds: 599 },
  { kind: "extend", pick: 2, taken: false },
  { kind: "end", pick: 0, seconds: 1800 },
  { kind: "end", pick: 1, seconds: 599 },
  { kind: "end", pick: 0, seconds: 0 },
  { kind: "book", days: 2, seconds: 7200 },
  { kind: "correct", pick: 1, micros: -60_000 },
  { kind: "correct", pick: 0, micros: 20_000 },
  { kind: "correct", pick: 0, micros: 0 },
  { kind: "payout", cents: 1 },
  { kind: "withdraw", cents: 2 },
  { kind: "reverse", pick: 0 },
  { kind: "book", days: 0, seconds: 3600 },
  { kind: "reverse", pick: 1 },
];

/** The history that is told now: where time runs out, it is told to its end all the same. */
let told: Promise<void> = Promise.resolve();

test("whatever happens to money, everything adds up after every step", async () => {
  const seen = new Map<string, number>();
  let number = 0;
  const tell = async (steps: readonly Step[]) => {
    const name = `saver-${number++}`;
    const { client, partyId } = await server.party(name, ["client"]);
    const history = new History(market, name, client, partyId as PartyId);
    for (const step of steps) {
      const code = await history.take(step);
      const what = `${step.kind}: ${code}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
      const { freeMicros } = await checkParty(history);
      const reserves = step.kind === "book" || step.kind === "extend" || step.kind === "withdraw";
      if (reserves && code === "done") expect(BigInt(freeMicros), what).toBeGreaterThanOrEqual(0n);
      await checkBooks();
    }
    await history.finish();
    await checkParty(history);
  };
  const histories = fc.array(anyStep, { minLength: 8, maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(histories, (steps) => {
      told = tell(steps);
      return told;
    }),
    {
      ...{ numRuns: 60, interruptAfterTimeLimit: TIME_LIMIT_MS, markInterruptAsFailure: false },
      examples: [[[...EVERYTHING]]],
    },
  );
  // Nobody waits for the one in which the time ran out, and it must add up as well.
  await told;
  // A history in which nothing happens would show nothing.
  for (const { kind } of EVERYTHING) {
    expect(seen.get(`${kind}: done`) ?? 0, `${kind} was done`).toBeGreaterThan(0);
  }
  expect(seen.get("book: funds-short") ?? 0, "a booking was refused").toBeGreaterThan(0);
}, 90_000);

test("the totals of all bills are the bills, by whatever they are added up", async () => {
  const { rows } = await server.database.pool.query(
    "select sum(total_micros)::bigint as total, count(*)::int as bills from bill",
  );
  const [all] = rows as { total: bigint; bills: number }[];
  for (const by of ["host", "lender", "client", "month"] as const) {
    const found = [];
    let cursor: string | null = null;
    do {
      const more: { cursor?: string } = cursor === null ? {} : { cursor };
      const page: Response<"totalBills"> = await server.operator.call("totalBills", {
        query: { by, limit: 7, ...more },
      });
      found.push(...page.totals);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(sum(found.map((one) => one.totalMicros))).toBe(all?.total);
    expect(found.reduce((bills, one) => bills + one.bills, 0)).toBe(all?.bills);
    for (const one of found) {
      const shares = sum([one.earningsMicros, one.feeMicros, one.roundingMicros]);
      expect(shares).toBe(BigInt(one.totalMicros));
    }
  }
});

/** Account, statement, holds and leases of one client tell the same. */
async function checkParty({ client, partyId }: History) {
  const account = await client.call("showAccount");
  const { balanceMicros, holdsMicros, creditLimitMicros, freeMicros } = account;
  expect(BigInt(freeMicros)).toBe(
    BigInt(balanceMicros) - BigInt(holdsMicros) + BigInt(creditLimitMicros),
  );
  const statement = await client.call("readStatement", { query: { limit: 200 } });
  const [funds] = statement.accounts;
  expect(funds?.closingMicros ?? "0").toBe(balanceMicros);
  expect(sum(statement.lines.map((line) => line.amountMicros))).toBe(BigInt(balanceMicros));
  expect(statement.lines.at(-1)?.balanceMicros ?? "0").toBe(balanceMicros);
  const { rows } = await server.database.pool.query(
    `select l.lease_id, greatest(0, (l.quote ->> 'totalMicros')::bigint
        + coalesce((select sum(additional_micros) from lease_extension x
            where x.lease_id = l.lease_id and x.state = 'pending'), 0)
        - coalesce((select sum(total_micros) from bill b where b.lease_id = l.lease_id), 0)
      )::text as still
      from lease l where client_party_id = $1 and state <> 'ended' order by 1 desc`,
    [partyId],
  );
  expect(account.holds.map(({ leaseId, amountMicros }) => [leaseId, amountMicros])).toEqual(
    rows.map((row: { leaseId?: string; lease_id?: string; still: string }) => [
      row.lease_id,
      row.still,
    ]),
  );
  expect(sum(account.holds.map((hold) => hold.amountMicros))).toBe(BigInt(holdsMicros));
  return account;
}

/** Every transaction balances; what is there is what is owed; what is due is what was not paid. */
async function checkBooks(): Promise<void> {
  const { rows } = await server.database.pool.query(`
    select (select count(*)::int from (select transaction_id from ledger_entry
        group by 1 having sum(amount_micros) <> 0) x) as unbalanced,
      (select coalesce(sum(amount_micros), 0)::text from ledger_entry join account
        using (account_id) where kind in ('funds', 'earnings')) as owed`);
  const [{ unbalanced, owed } = { unbalanced: -1, owed: "" }] = rows;
  expect(unbalanced).toBe(0);
  const books = (await server.operator.call("showAccount")).server;
  const { cashMicros = "", feeMicros = "", roundingMicros = "" } = books ?? {};
  expect(BigInt(cashMicros)).toBe(sum([owed, feeMicros, roundingMicros]));
  const lender = await market.lender.call("showAccount");
  const earnings = BigInt(lender.earningsMicros);
  expect(earnings).toBe(BigInt(lender.earnedMicros) - BigInt(lender.paidOutMicros));
  expect(BigInt(lender.payoutDueMicros)).toBe(earnings > 0n ? earnings - (earnings % 10_000n) : 0n);
  const { payouts } = await server.operator.call("listPayouts", { query: {} });
  expect(sum(payouts.map((one) => one.dueMicros))).toBe(BigInt(lender.payoutDueMicros));
  const query = { limit: 1 };
  const { accounts } = await market.lender.call("readStatement", { query });
  const closing = accounts.find(({ account }) => account === "earnings")?.closingMicros;
  expect(closing ?? "0").toBe(lender.earningsMicros);
}

function sum(amounts: readonly string[]): bigint {
  return amounts.reduce((all, amount) => all + BigInt(amount), 0n);
}
