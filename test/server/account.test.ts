import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/api/client/client.ts";
import { postBill } from "../../src/billing/post-bill.ts";
import { transaction } from "../../src/database/transaction.ts";
import { newId } from "../../src/unit/id.ts";
import { bookingOf, type Market, openMarket } from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";
import { billedLease } from "./money.ts";

let server: TestServer;
let market: Market;
let operator: Client;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  operator = server.operator;
});
afterAll(() => server.stop());

/** A booking of 0.12 for an hour of its own, far ahead. */
let day = 1;
const later = () =>
  bookingOf({ start: new Date(Date.now() + 3_600_000 * 26 * day++).toISOString() });
const book = (client: Client) =>
  codeOf(client.call("bookLease", { params: { leaseId: newId("lease") }, body: later() }));
const setLine = (party: string, micros: bigint) =>
  operator.call("setCreditLimit", {
    params: { party },
    body: { creditLimitMicros: micros.toString() },
  });
const amount = (party: string, micros: bigint, memo = "") => ({
  party,
  amountMicros: micros.toString(),
  memo,
});

describe("the credit line", () => {
  test("many bookings at once never go below the line", async () => {
    const { client } = await server.party("borrower", ["client"]);
    await depositFor(server, "borrower", 100_000n);
    await setLine("borrower", 300_000n);
    const codes = await Promise.all(Array.from({ length: 8 }, () => book(client)));
    expect(codes.filter((code) => code === "done")).toHaveLength(3);
    expect(codes.filter((code) => code === "funds-short")).toHaveLength(5);
    const account = await client.call("showAccount");
    expect(account).toMatchObject({ balanceMicros: "100000", freeMicros: "40000" });
    expect(account.holds.map((hold) => hold.amountMicros)).toEqual(["120000", "120000", "120000"]);
  });

  test("a line below what is in use says so, ends no lease and stops what is new", async () => {
    const { client } = await server.party("lowered", ["client"]);
    await setLine("lowered", 240_000n);
    expect(await book(client)).toBe("done");
    expect(await setLine("lowered", 0n)).toMatchObject({ freeMicros: "-120000" });
    const { leases } = await client.call("listLeases", { query: { state: "open" } });
    expect(leases.map((lease) => lease.state)).toEqual(["booked"]);
    const [lease] = leases;
    const params = { leaseId: lease?.leaseId ?? newId("lease"), extensionId: newId("extension") };
    const longer = client.call("extendLease", { params, body: { seconds: 3600 } });
    expect(await codeOf(longer)).toBe("funds-short");
    expect(await book(client)).toBe("funds-short");
    await setLine("lowered", 240_000n);
    expect(await book(client)).toBe("done");
  });
});

describe("what the operator posts", () => {
  test("a withdrawal is posted once, and never of what is held or below the line", async () => {
    const { client } = await server.party("leaver", ["client"]);
    await depositFor(server, "leaver", 500_000n);
    expect(await book(client)).toBe("done");
    const withdraw = (body: object) =>
      codeOf(
        operator.call("withdraw", {
          body: { withdrawalId: newId("transaction"), ...amount("leaver", 400_000n), ...body },
        }),
      );
    expect(await withdraw({})).toBe("withdrawal-too-large");
    const withdrawalId = newId("transaction");
    const once = { withdrawalId, ...amount("leaver", 380_000n, "refund") };
    expect(await withdraw(once)).toBe("done");
    expect(await withdraw(once)).toBe("done");
    expect(await withdraw({ ...once, memo: "another" })).toBe("cause-reused");
    expect(await withdraw({ ...once, amountMicros: "10000" })).toBe("cause-reused");
    expect(await client.call("showAccount")).toMatchObject({
      balanceMicros: "120000",
      freeMicros: "0",
    });
  });

  test("withdrawals and bookings at once leave nobody below the line", async () => {
    const { client } = await server.party("racer", ["client"]);
    await depositFor(server, "racer", 250_000n);
    const codes = await Promise.all([
      ...Array.from({ length: 4 }, () => book(client)),
      ...Array.from({ length: 4 }, () => {
        const body = { withdrawalId: newId("transaction"), ...amount("racer", 120_000n) };
        return codeOf(operator.call("withdraw", { body }));
      }),
    ]);
    expect(codes.filter((code) => code === "done")).toHaveLength(2);
    expect(await client.call("showAccount")).toMatchObject({ freeMicros: "10000" });
  });

  test("a mistaken deposit is reversed once, whatever was booked with it", async () => {
    const { client } = await server.party("mistaken", ["client"]);
    const depositId = newId("transaction");
    const body = { depositId, ...amount("mistaken", 200_000n, "meant for another") };
    await operator.call("deposit", { body });
    expect(await book(client)).toBe("done");
    const reversalId = newId("transaction");
    const reverse = (some: object) =>
      operator.call("reverse", { body: { reversalId, transactionId: depositId, ...some } });
    expect(await reverse({})).toMatchObject({ balanceMicros: "0", freeMicros: "-120000" });
    expect(await reverse({})).toMatchObject({ balanceMicros: "0" });
    expect(await codeOf(reverse({ reversalId: newId("transaction") }))).toBe("already-reversed");
    expect(await codeOf(reverse({ memo: "why" }))).toBe("cause-reused");
    const again = { reversalId: newId("transaction"), transactionId: reversalId };
    expect(await codeOf(reverse(again))).toBe("not-reversible");
    const unknown = { reversalId: newId("transaction"), transactionId: newId("transaction") };
    expect(await codeOf(reverse(unknown))).toBe("not-found");
    expect(await book(client)).toBe("funds-short");
  });

  test("two reversals at once are one", async () => {
    await server.party("twice", ["client"]);
    const depositId = newId("transaction");
    await operator.call("deposit", { body: { depositId, ...amount("twice", 200_000n) } });
    const codes = await Promise.all(
      Array.from({ length: 4 }, () => {
        const body = { reversalId: newId("transaction"), transactionId: depositId };
        return codeOf(operator.call("reverse", { body }));
      }),
    );
    expect(codes.toSorted()).toEqual([
      ...["already-reversed", "already-reversed", "already-reversed", "done"],
    ]);
  });

  test("going around the code that asks first meets the database's own rules", async () => {
    const refused = async (statements: string) => {
      const connection = await server.database.pool.connect();
      try {
        await connection.query(`begin; ${statements}; commit`);
        return "done";
      } catch (error) {
        return (error as { constraint?: string }).constraint;
      } finally {
        await connection.query("rollback");
        connection.release();
      }
    };
    const insert = (kind: string, reverses: string) =>
      `insert into ledger_transaction (transaction_id, kind, cause, at, reverses)
        select 'transaction_y', '${kind}', 'y', now(), ${reverses}`;
    const deposit = "(select min(transaction_id) from ledger_transaction where kind = 'deposit')";
    const entries = (factor: number) =>
      `insert into ledger_entry select 'transaction_y', account_id, ${factor} * amount_micros
        from ledger_entry where transaction_id = ${deposit}`;
    expect(await refused(`${insert("reversal", deposit)}; ${entries(-2)}`)).toBe("ledger_reversal");
    expect(await refused(`${insert("reversal", "null")}; ${entries(-1)}`)).toBe(
      "ledger_transaction_reverses",
    );
    expect(await refused(`${insert("gift", "null")}; ${entries(-1)}`)).toBe(
      "ledger_transaction_kind_check",
    );
    expect(await refused("update operator_fee set fee_ppm = 1")).toBe("append_only");
    expect(await refused("delete from ledger_entry")).toBe("append_only");
  });
});

describe("the operator's fee", () => {
  test("a rate counts for what is booked from then on, for all or for one lender", async () => {
    const { lender } = market;
    const feeOf = async () => (await lender.call("listOffers")).offers[0]?.tariff.operatorFeePpm;
    const set = (who: string | null, feePpm: number | null) =>
      operator.call("setFee", { body: { lender: who, feePpm } });
    expect(await feeOf()).toBe(0);
    const before = await billedLease(market, [1800], async () => {
      await set(null, 100_000);
    });
    expect(before.bill).toMatchObject({ tariff: { operatorFeePpm: 0 } });
    const after = await billedLease(market, [1800]);
    expect(after.bill).toMatchObject({ tariff: { operatorFeePpm: 100_000 } });
    expect(await feeOf()).toBe(100_000);
    // Half an hour of 0.111: the lender has nine tenths of it, the operator one.
    const { rows } = await server.database.pool.query(
      "select account_id, amount_micros from ledger_entry join ledger_transaction using (transaction_id) where cause = $1 and account_id not like 'funds%' order by 1",
      [after.bill.billId],
    );
    expect(rows.map((row) => String(row.amount_micros))).toEqual(["49950", "5550", "4500"]);
    const fees = await set("lender", 25_000);
    expect(fees).toMatchObject({ feePpm: 100_000, lenders: [{ feePpm: 25_000 }] });
    expect(await feeOf()).toBe(25_000);
    await set(null, 50_000);
    expect(await feeOf()).toBe(25_000);
    expect((await set("lender", null)).lenders).toEqual([]);
    expect(await feeOf()).toBe(50_000);
    expect(await codeOf(set(null, null))).toBe("operator-fee-missing");
    expect(await codeOf(set("client", 1))).toBe("not-found");
    await set(null, 0);
  });
});

describe("payouts", () => {
  test("what is due is paid out once and never twice, in whole minor units", async () => {
    const { lender } = market;
    const { earningsMicros, payoutDueMicros } = await lender.call("showAccount");
    expect(BigInt(earningsMicros) - BigInt(payoutDueMicros)).toBeLessThan(10_000n);
    const due = BigInt(payoutDueMicros);
    expect(due).toBeGreaterThan(0n);
    const { payouts } = await operator.call("listPayouts", { query: {} });
    expect(payouts).toMatchObject([{ lender: { name: "lender" }, dueMicros: payoutDueMicros }]);
    const above = { minMicros: (due + 1n).toString() };
    expect((await operator.call("listPayouts", { query: above })).payouts).toEqual([]);
    const payOut = (payoutId: ReturnType<typeof newId<"transaction">>, micros: bigint) =>
      codeOf(operator.call("payOut", { body: { payoutId, ...amount("lender", micros) } }));
    expect(await payOut(newId("transaction"), due + 10_000n)).toBe("payout-above-due");
    expect(await payOut(newId("transaction"), due - 1n)).toBe("invalid-input");
    const ids = Array.from({ length: 4 }, () => newId("transaction"));
    const codes = await Promise.all(ids.map((id) => payOut(id, due)));
    expect(codes.toSorted()).toEqual([
      ...["done", "payout-above-due", "payout-above-due", "payout-above-due"],
    ]);
    const paid = ids[codes.indexOf("done")] ?? newId("transaction");
    expect(await payOut(paid, due)).toBe("done");
    const account = await lender.call("showAccount");
    expect(account).toMatchObject({ payoutDueMicros: "0", paidOutMicros: payoutDueMicros });
    const { lines } = await lender.call("readStatement", { query: {} });
    expect(lines.at(-1)).toMatchObject({
      ...{ transactionId: paid, kind: "payout", account: "earnings" },
      ...{ amountMicros: (-due).toString(), balanceMicros: account.earningsMicros },
    });
    // A transfer that came back is due again.
    const body = { reversalId: newId("transaction"), transactionId: paid };
    expect(await operator.call("reverse", { body })).toMatchObject({ payoutDueMicros });
  });
});

describe("the statement", () => {
  test("pages hold each line once, and its parts add up to the whole", async () => {
    const { lender, client } = market;
    await billedLease(market, [900]);
    for (const party of [lender, client]) {
      const whole = await party.call("readStatement", { query: { limit: 200 } });
      const paged: typeof whole.lines = [];
      let cursor: string | null = null;
      do {
        const query = { limit: 1, ...(cursor === null ? {} : { cursor }) };
        const page: typeof whole = await party.call("readStatement", { query });
        paged.push(...page.lines);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(paged).toEqual(whole.lines);
      expect(whole.lines.length).toBeGreaterThan(1);
      const middle = whole.lines[1]?.at ?? "";
      const early = await party.call("readStatement", { query: { to: middle } });
      const late = await party.call("readStatement", { query: { from: middle } });
      expect(early.accounts[0]?.openingMicros).toBe("0");
      expect([...early.lines, ...late.lines]).toEqual(whole.lines);
      for (const [index, { closingMicros }] of early.accounts.entries()) {
        expect(late.accounts[index]?.openingMicros).toBe(closingMicros);
      }
      const account = await party.call("showAccount");
      for (const { account: kind, closingMicros } of late.accounts) {
        const { balanceMicros, earningsMicros } = account;
        expect(closingMicros).toBe(kind === "funds" ? balanceMicros : earningsMicros);
      }
    }
  });

  test("a line names its bill, lease and host; the operator's tells of everybody", async () => {
    const { bill, leaseId } = await billedLease(market, [1800]);
    const month = new Date().toISOString().slice(0, 7);
    const { lines } = await market.client.call("readStatement", { query: { month } });
    expect(lines.at(-1)).toMatchObject({
      ...{ kind: "bill", account: "funds", amountMicros: `-${bill.totalMicros}` },
      ...{ billId: bill.billId, leaseId, host: "h1", parties: ["client", "lender"] },
    });
    const own = await operator.call("readStatement", { query: { limit: 200 } });
    const { server: books } = await operator.call("showAccount");
    expect(own.accounts.map(({ account, closingMicros }) => [account, closingMicros])).toEqual([
      ["cash", books?.cashMicros],
      ["fee", books?.feeMicros],
      ["rounding", books?.roundingMicros],
    ]);
    const params = { party: "client" };
    const theirs = await operator.call("readPartyStatement", { params, query: { month } });
    expect(theirs.lines).toEqual(lines);
  });

  test("a period that is none is refused by name", async () => {
    const read = (query: object) => codeOf(market.client.call("readStatement", { query }));
    expect(await read({ month: "2026-13" })).toBe("invalid-input");
    expect(await read({ month: "2026-11", from: "2026-11-01" })).toBe("invalid-input");
    expect(await read({ from: "2026-11-02", to: "2026-11-01" })).toBe("invalid-input");
    expect(await read({ from: "2026-02-30" })).toBe("invalid-input");
    expect(await read({ from: "2026-11-01", to: "2026-11-02" })).toBe("done");
  });
});

describe("totals", () => {
  test("bills added up per host, lender, client and month are the bills", async () => {
    const { client: other } = await server.party("second", ["client"]);
    await depositFor(server, "second", 1_000_000n);
    await billedLease(market, [1200], undefined, other);
    const totals = async (who: Client, by: "host" | "lender" | "client" | "month", more = {}) =>
      (await who.call("totalBills", { query: { by, ...more } })).totals;
    const sum = (bills: readonly { readonly totalMicros: string }[]) =>
      bills.reduce((all, { totalMicros }) => all + BigInt(totalMicros), 0n);
    const { bills } = await market.lender.call("listBills", { query: { limit: 200 } });
    for (const by of ["host", "lender", "client", "month"] as const) {
      const found = await totals(operator, by);
      expect(sum(found)).toBe(sum(bills));
      expect(found.reduce((all, one) => all + one.bills, 0)).toBe(bills.length);
      expect(await totals(market.lender, by)).toEqual(found);
      for (const one of found) {
        const shares = [one.earningsMicros, one.feeMicros, one.roundingMicros].map(BigInt);
        expect(shares.reduce((all, share) => all + share, 0n)).toBe(BigInt(one.totalMicros));
      }
    }
    const [host] = await totals(operator, "host");
    expect(host).toMatchObject({ of: { name: "h1" }, lender: { name: "lender" } });
    const theirs = await other.call("listBills", { query: {} });
    expect(sum(await totals(other, "host"))).toBe(sum(theirs.bills));
    const clients = await totals(operator, "client");
    expect(clients.map((one) => one.of.name).sort()).toEqual(["client", "second"]);
    const [first] = await totals(operator, "client", { limit: 1 });
    const [next] = await totals(operator, "client", { limit: 1, cursor: first?.of.id });
    expect([first, next]).toEqual(clients);
    expect(await totals(operator, "host", { to: "2026-01-01" })).toEqual([]);
  });

  test("the account that the operator sees of a party is the party's own", async () => {
    const own = await market.lender.call("showAccount");
    const params = { party: "lender" };
    expect(await operator.call("showPartyAccount", { params })).toEqual(own);
    expect(own.server).toBeNull();
  });
});

test("each bill takes its part of the hold, and the database keeps the rest", async () => {
  const { client, partyId } = await server.party("metered", ["client"]);
  await depositFor(server, "metered", 1_000_000n);
  const leaseId = newId("lease");
  const body = later();
  await client.call("bookLease", { params: { leaseId }, body });
  const { lease } = await client.call("showLease", { params: { leaseId } });
  let number = 0;
  const bill = async (total: bigint, last: boolean) => {
    const billId = newId("bill");
    number += 1;
    await transaction(server.database, async (tx) => {
      await tx
        .insertInto("bill")
        .values({
          ...{ billId, leaseId, clientPartyId: partyId, lenderPartyId: lease.lender.id },
          ...{ hostId: lease.host.id, closedAt: new Date(), totalMicros: total },
          ...{ remainderMicros: 0n, document: "{}", jws: "a.b.c" },
          ...{ number, kind: last ? "final" : "interim", untilAt: last ? null : new Date() },
          ...{ evidenceSeq: 0n },
        })
        .execute();
      const micros = total.toString();
      await postBill(tx, {
        ...{ billId, leaseId, last, now: new Date(), terms: { operatorFeePpm: 0 } },
        clientPartyId: lease.client.id,
        lenderPartyId: lease.lender.id,
        amounts: { sumMicros: micros, totalMicros: micros, remainderMicros: "0" },
      });
    });
  };
  const held = async () => {
    const { holdsMicros, freeMicros } = await client.call("showAccount");
    return [holdsMicros, freeMicros];
  };
  expect(await held()).toEqual(["120000", "880000"]);
  await bill(50_000n, false);
  expect(await held()).toEqual(["70000", "880000"]);
  const lower = "update hold set amount_micros = 60000 where lease_id = $1";
  await expect(server.database.pool.query(lower, [leaseId])).rejects.toMatchObject({
    constraint: "hold_terms",
  });
  // What is given back may be charged again, so it is held again.
  await bill(-20_000n, false);
  expect(await held()).toEqual(["90000", "880000"]);
  await bill(30_000n, true);
  expect(await held()).toEqual(["0", "940000"]);
});
