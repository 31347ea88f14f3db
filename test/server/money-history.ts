import fc from "fast-check";
import type { Client } from "../../src/api/client/client.ts";
import type { BillDocument } from "../../src/billing/bill.ts";
import { insertBill } from "../../src/billing/bill-store.ts";
import { lockParty } from "../../src/billing/ledger-store.ts";
import { postBill } from "../../src/billing/post-bill.ts";
import { transaction } from "../../src/database/transaction.ts";
import { getLeaseOfParty } from "../../src/lease/store.ts";
import { type LeaseId, newId, type PartyId, type TransactionId } from "../../src/unit/id.ts";
import {
  acknowledgeExtension,
  becomeReady,
  becomeWiped,
  bookingOf,
  enrolFakeHost,
  type FakeHost,
  GIB,
  makeRecords,
  offerOf,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, type TestServer } from "./harness.ts";

/** One thing that happens to somebody's money; `pick` chooses among what there is of that kind. */
export type Step =
  | { readonly kind: "deposit" | "withdraw" | "credit" | "payout"; readonly cents: number }
  | { readonly kind: "book"; readonly days: number; readonly seconds: number }
  | { readonly kind: "extend"; readonly pick: number; readonly taken: boolean }
  | { readonly kind: "partial" | "end"; readonly pick: number; readonly seconds: number }
  | { readonly kind: "correct"; readonly pick: number; readonly micros: number }
  | { readonly kind: "fee"; readonly ppm: number; readonly own: boolean }
  | { readonly kind: "reverse"; readonly pick: number };

const pick = fc.nat(5);
const cents = fc.integer({ min: 1, max: 60 });
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("deposit" as const), cents }) },
  fc.record({ kind: fc.constantFrom("withdraw" as const, "credit" as const), cents }),
  fc.record({ kind: fc.constant("payout" as const), cents }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("book" as const),
      days: fc.constantFrom(0, 0, 0, 1, 2),
      seconds: fc.constantFrom(600, 3600, 7200),
    }),
  },
  fc.record({ kind: fc.constant("extend" as const), pick, taken: fc.boolean() }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("end" as const, "end" as const, "partial" as const),
      pick,
      seconds: fc.constantFrom(0, 7, 599, 1800),
    }),
  },
  fc.record({
    kind: fc.constant("correct" as const),
    pick,
    micros: fc.integer({ min: -60_000, max: 20_000 }),
  }),
  fc.record({
    kind: fc.constant("fee" as const),
    ppm: fc.constantFrom(0, 25_000, 333_333, 1_000_000),
    own: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("reverse" as const), pick }),
);

/** A lender with six partitions to lend, for clients that come and go. */
export async function openMoneyMarket(server: TestServer) {
  const { lender, client } = await openMarket(server);
  const [first] = (await lender.call("listOffers")).offers;
  if (first) await lender.call("withdrawOffer", { params: { offerId: first.offerId } });
  const base = { cpuMilli: 6000, memoryBytes: 12 * GIB, diskBytes: 100 * GIB };
  const host = await enrolFakeHost(server, lender, "h2", base);
  for (const name of ["p1", "p2", "p3", "p4", "p5", "p6"]) {
    const params = { host: "h2", name };
    const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
    const body = { lendable: true, cpuMode: "dedicated" as const, size };
    await lender.call("setPartition", { params, body });
    await lender.call("setOffer", { params, body: offerOf() });
  }
  return { server, lender, client, host };
}
export type MoneyMarket = Awaited<ReturnType<typeof openMoneyMarket>>;

/** The history of one client, done by the server's own operations; what it cannot do it leaves. */
export class History {
  readonly #market: MoneyMarket;
  readonly #name: string;
  readonly client: Client;
  readonly partyId: PartyId;
  readonly #open: LeaseId[] = [];
  readonly #billed: LeaseId[] = [];
  readonly #partlyBilled = new Set<LeaseId>();
  readonly #posted: TransactionId[] = [];

  constructor(market: MoneyMarket, name: string, client: Client, partyId: PartyId) {
    this.#market = market;
    this.#name = name;
    this.client = client;
    this.partyId = partyId;
  }

  /** The code that it was refused with, `"done"`, or `"nothing"` when there was nothing to do it to. */
  async take(step: Step): Promise<string> {
    switch (step.kind) {
      case "deposit":
      case "withdraw":
      case "payout":
        return this.#postAmount(step.kind, step.cents);
      case "credit":
        return this.#operator("setCreditLimit", {
          params: { party: this.#name },
          body: { creditLimitMicros: `${step.cents}0000` },
        });
      case "book":
        return this.#book(step);
      case "extend":
        return this.#extend(step);
      case "end":
        return this.#end(step);
      case "partial":
        return this.#partial(step);
      case "correct":
        return this.#correct(step);
      case "fee":
        return this.#operator("setFee", {
          body: { lender: step.own ? "lender" : null, feePpm: step.ppm },
        });
      case "reverse":
        return this.#reverse(step);
    }
  }

  /** Ends what is open, so that the next history finds the partitions free. */
  async finish(): Promise<void> {
    while (this.#open.length > 0) await this.#end({ pick: 0, seconds: 0 });
  }

  #operator(name: "setCreditLimit" | "setFee" | "deposit", input: object): Promise<string> {
    return codeOf(this.#market.server.operator.call(name, input as never));
  }

  async #postAmount(kind: "deposit" | "withdraw" | "payout", amount: number): Promise<string> {
    const { operator } = this.#market.server;
    const id = newId("transaction");
    const party = kind === "payout" ? "lender" : this.#name;
    const body = { party, amountMicros: `${amount}0000`, memo: `a ${kind}` };
    const call = () => {
      if (kind === "deposit") return operator.call("deposit", { body: { depositId: id, ...body } });
      if (kind === "payout") return operator.call("payOut", { body: { payoutId: id, ...body } });
      return operator.call("withdraw", { body: { withdrawalId: id, ...body } });
    };
    const code = await codeOf(call());
    if (code === "done") {
      this.#posted.push(id);
      // A repeat is the same transaction.
      await call();
    }
    return code;
  }

  async #book({ days, seconds }: { days: number; seconds: number }): Promise<string> {
    const leaseId = newId("lease");
    const start =
      days === 0 ? {} : { start: new Date(Date.now() + days * 86_400_000).toISOString() };
    const body = bookingOf({ durationSeconds: seconds, ...start });
    const code = await codeOf(this.client.call("bookLease", { params: { leaseId }, body }));
    if (code !== "done") return code;
    this.#open.push(leaseId);
    await this.#market.server.pass();
    if (days === 0) await becomeReady(this.#market.host, leaseId);
    return code;
  }

  async #extend(step: { pick: number; taken: boolean }): Promise<string> {
    const leaseId = chosen(this.#open, step.pick);
    if (!leaseId) return "nothing";
    const params = { leaseId, extensionId: newId("extension") };
    const asked = this.client.call("extendLease", { params, body: { seconds: 3600 } });
    const code = await codeOf(asked);
    if (code !== "done" || !step.taken) return code;
    const lease = await asked;
    if (lease.extensions.at(-1)?.state === "pending") {
      await acknowledgeExtension(this.#market.host, leaseId);
    }
    return code;
  }

  async #end(step: { pick: number; seconds: number }): Promise<string> {
    const { server, host } = this.#market;
    const leaseId = chosen(this.#open, step.pick);
    if (!leaseId) return "nothing";
    this.#open.splice(this.#open.indexOf(leaseId), 1);
    const params = { leaseId };
    const { lease } = await this.client.call("showLease", { params });
    if (lease.state === "booked") return codeOf(this.client.call("endLease", { params }));
    const granted = await readGrant(host, leaseId);
    const records = makeRecords(host, granted, step.seconds === 0 ? [] : [step.seconds]);
    await this.client.call("endLease", { params });
    // A bill that was closed by hand has no records behind it.
    if (!this.#partlyBilled.has(leaseId)) await sendRecords(host, records);
    await becomeWiped(host, granted, records);
    await server.pass();
    if (this.#partlyBilled.has(leaseId)) await this.#bill(leaseId, "rest", true);
    this.#billed.push(leaseId);
    return "done";
  }

  /** A bill of an open lease takes its part of the hold. */
  async #partial(step: { pick: number; seconds: number }): Promise<string> {
    const leaseId = chosen(this.#open, step.pick);
    const lease = leaseId && (await this.client.call("showLease", { params: { leaseId } })).lease;
    if (lease?.state !== "ready") return "nothing";
    this.#partlyBilled.add(lease.leaseId);
    const { holds } = await this.client.call("showAccount");
    const held = BigInt(holds.find((one) => one.leaseId === leaseId)?.amountMicros ?? 0);
    const used = BigInt(step.seconds) * 20n;
    return this.#bill(lease.leaseId, used < held ? used : held, false);
  }

  async #correct(step: { pick: number; micros: number }): Promise<string> {
    const leaseId = chosen(this.#billed, step.pick);
    return leaseId ? this.#bill(leaseId, BigInt(step.micros), true) : "nothing";
  }

  /** As the bill that it is: stored and posted in one transaction. Never beyond what is held. */
  async #bill(leaseId: LeaseId, micros: bigint | "rest", last: boolean): Promise<string> {
    const { server } = this.#market;
    const now = new Date();
    await transaction(server.database, async (tx) => {
      await lockParty(tx, this.partyId);
      const lease = await getLeaseOfParty(tx, this.partyId, leaseId);
      const sumMicros = micros === "rest" ? 1234n : micros;
      const totalMicros = ((sumMicros + (sumMicros < 0n ? -5000n : 5000n)) / 10_000n) * 10_000n;
      const bills = await tx
        .selectFrom("bill")
        .select("kind")
        .where("leaseId", "=", leaseId)
        .execute();
      const hasFinal = bills.some(({ kind }) => kind === "final");
      const document = {
        version: 2,
        number: bills.length + 1,
        kind: last ? (hasFinal ? "correction" : "final") : "interim",
        evidence: { finalSeq: 0 },
        billId: newId("bill"),
        leaseId,
        client: { id: lease.clientPartyId, name: lease.clientName },
        lender: { id: lease.lenderPartyId, name: lease.lenderName },
        host: { id: lease.hostId, name: lease.hostName },
        partition: { id: lease.partitionId, name: lease.partitionName },
        tariff: lease.tariff,
        period: last ? null : { end: now.toISOString() },
        sumMicros: sumMicros.toString(),
        totalMicros: totalMicros.toString(),
        remainderMicros: (sumMicros - totalMicros).toString(),
      } as unknown as BillDocument;
      await insertBill(tx, { document, jws: "a.b.c", closedAt: now });
      await postBill(tx, {
        ...{ billId: document.billId, leaseId, last, now },
        clientPartyId: lease.clientPartyId,
        lenderPartyId: lease.lenderPartyId,
        amounts: document,
        terms: lease.tariff,
      });
    });
    return "done";
  }

  async #reverse(step: { pick: number }): Promise<string> {
    const transactionId = chosen(this.#posted, step.pick);
    if (!transactionId) return "nothing";
    const body = { reversalId: newId("transaction"), transactionId };
    return codeOf(this.#market.server.operator.call("reverse", { body }));
  }
}

async function sendRecords(host: FakeHost, records: ReturnType<typeof makeRecords>): Promise<void> {
  if (records.length === 0) return;
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
}

function chosen<T>(all: readonly T[], index: number): T | undefined {
  return all[index % Math.max(1, all.length)];
}
