import type { ActsBatch, HashedAct } from "../../../enablement/capacity/act.ts";
import { hashAct } from "../../../enablement/capacity/act.ts";
import { issueCode } from "../../../enablement/capacity/issue-code.ts";
import type { CapacityTerms } from "../../../enablement/capacity/terms.ts";
import { hashRecord } from "../../../meter/chain.ts";
import type { HashedRecord, UsageRecord } from "../../../meter/record.ts";
import { sign } from "../../../signature/envelope.ts";
import { generateKey } from "../../../signature/key.ts";
import { newId } from "../../../unit/id.ts";
import { basisOf, type TimeToBillAct } from "../../capacity/basis.ts";
import type { CapacityBill } from "../../capacity/bill.ts";
import { drawnCode } from "../../capacity/facts.ts";
import { makeCapacityBill } from "../../capacity/make-bill.ts";
import type { CapacityExport } from "../../export.ts";
import { sealBill } from "../../seal.ts";
import { Ledger } from "./ledger.sample.ts";

const SERVER = generateKey();
const PROVIDER = generateKey();
const AGENT = generateKey();
export const STRANGER = generateKey();
const START_MS = Date.parse("2027-01-31T08:00:00Z");
const HOUR = 3600n * 1_000_000_000n * 1000n;

const TERMS: CapacityTerms = {
  priceMicrosPerHour: "123457",
  overdraftPriceMicrosPerHour: "240000",
  unreturnedPriceMicrosPerHour: "360000",
  increment: "60000000000000",
  rounding: "up",
  validSeconds: 86_400,
  billingPeriod: { kind: "fixed", seconds: 3600, anchor: "2026-01-01T00:00:00Z" },
  threshold: { kind: "allowance" },
  reporting: { reportAfterSeconds: 3600, reportLimit: "0", graceSeconds: 3600 },
  exhaustion: { policy: "stop-new", graceSeconds: 60, warnSeconds: 600 },
  returnMeans: ["ask"],
};

/** For tests: where an honest export of capacity is bent, and made to fit behind that. */
export interface CapacityBend {
  /** The second record of the first chain, before hashing; what follows it is linked anew. */
  readonly record?: (record: UsageRecord) => UsageRecord;
  /** The records of the first chain, as they go into the batch. */
  readonly hashed?: (records: readonly HashedRecord[]) => readonly HashedRecord[];
  /** The acts, before hashing; each is linked to the one before. */
  readonly act?: (act: HashedAct["record"]) => HashedAct["record"];
  readonly acts?: (batch: ActsBatch) => ActsBatch;
  readonly code?: (payload: Record<string, unknown>) => object;
  /** The second bill, before it is sealed. */
  readonly bill?: (bill: CapacityBill) => CapacityBill;
  readonly exported?: (exported: CapacityExport) => CapacityExport;
}

/** One dedicated core on two codes with overdraft, two partitions in a pool; two times to bill. */
export function capacityExport(bend: CapacityBend = {}): unknown {
  const provider = { id: newId("party"), name: "vendor" };
  const customer = { id: newId("party"), name: "owner" };
  const host = { id: newId("host"), name: "h1" };
  const issue = (sequence: number, forSeconds: number, validSeconds: number) => {
    const issued = issueCode({
      ...{ codeId: newId("code"), provider, customer, requestId: null, sequence },
      wanted: { hostId: host.id, resource: "cpu", quantity: 1000, forSeconds },
      terms: { ...TERMS, validSeconds },
      market: { currency: "EUR", minorUnitDigits: 2 },
      ...{ operatorFeePpm: 50_000, key: PROVIDER, now: new Date(START_MS - 1000) },
    });
    const jws = bend.code
      ? sign("sublet-capacity-code", bend.code({ ...issued.code }), PROVIDER)
      : issued.jws;
    return { ...issued, shownJws: jws };
  };
  const early = issue(1, 1000, 40_000);
  const late = issue(2, 500, 86_400);
  const codes = [early, late];
  const ledger = new Ledger(host.id, AGENT, START_MS);
  for (const { code, jws } of codes) ledger.accept(code, jws);
  ledger.begin(early.code, early.jws, [["own", null]]);
  ledger.begin(early.code, early.jws, [
    ["p1", { kind: "allowance", milliCoreNs: HOUR.toString() }],
    ["p2", { kind: "allowance", milliCoreNs: (HOUR / 60n).toString() }],
  ]);
  const useAll = () => {
    for (const meter of ledger.meters) {
      for (let step = 0; step < 3; step++) ledger.use(meter, START_MS, 300, { cpuSeconds: 101 });
    }
  };
  useAll();
  ledger.timeToBill(provider.id, START_MS, "demand");
  // A pause of an earlier time of the host's clock than the records: it holds nothing against them.
  const { serviceId = newId("service") } = ledger.meters[0] ?? {};
  const from = { at: new Date(START_MS).toISOString(), bootId: "boot", monotonicNs: "1" };
  ledger.act({ kind: "service-paused", serviceId, reason: "guest-powered-off", from });
  ledger.act({ kind: "service-resumed", serviceId });
  useAll();
  ledger.timeToBill(provider.id, START_MS);

  const bills: CapacityBill[] = [];
  const toBill = ledger.acts.filter(({ record }) => record.act.kind === "time-to-bill");
  for (const [index, act] of toBill.entries()) {
    const detail = (act.record as TimeToBillAct).act;
    const chains = ledger.meters.map((meter, at) => ({
      ...{ chainId: meter.chainId, hostId: host.id, actSeq: at, serviceId: meter.serviceId },
      ...{ providerPartyId: provider.id, codeId: meter.code.jti, quantity: meter.quantity },
      ...{ partitionId: meter.partition.id, partitionName: meter.partition.name },
      mode: meter.threshold === null ? ("dedicated" as const) : ("shared" as const),
      resource: "cpu" as const,
    }));
    const acts = toBill.slice(0, index + 1).map(({ record }) => record as TimeToBillAct);
    const recordsOf = (id: string) => ledger.meters.find((m) => m.chainId === id)?.records ?? [];
    const basis = basisOf({ acts, chains, recordsOf, missingActs: [] });
    const made = makeCapacityBill({
      ...{ billId: newId("bill"), client: customer, lender: provider, host },
      act: {
        ...{ seq: act.record.seq, hash: act.hash, at: act.record.at, reason: detail.reason },
      },
      ...{ period: detail.period, currency: "EUR", minorUnitDigits: 2, earlier: [...bills] },
      ...{ ...basis, named: new Set<string>(detail.chains.map(({ chainId }) => chainId)) },
      tariffOf: (id) => (codes.find(({ code }) => code.jti === id) ?? early).code.tariff,
      codes: codes.map(({ code }) => drawnCode(code, START_MS - 1)),
      holding: ledger.acts,
      closedAt: new Date(START_MS),
    });
    bills.push(index === 1 ? (bend.bill?.(made) ?? made) : made);
  }
  const acts = linkActs(ledger.acts, bend.act);
  const head = { ...ledger.head(), hash: acts.at(-1)?.hash ?? "" };
  const batch: ActsBatch = { batchId: newId("batch"), hostId: host.id, acts: [...acts], head };
  const exported: CapacityExport = {
    ...{ hostId: host.id, providerId: provider.id, customerId: customer.id },
    providerKeys: [{ ...PROVIDER.publicJwk }],
    agentKeys: [{ ...AGENT.publicJwk }],
    codeJws: codes.map(({ shownJws }) => shownJws),
    acts: [sign("sublet-acts", bend.acts?.(batch) ?? batch, AGENT)],
    usageBatches: ledger.meters.map((meter, index) => {
      if (index > 0) return ledger.signUsage(meter);
      const linked = linkRecords(meter.records, bend.record);
      return ledger.signUsage(meter, bend.hashed?.(linked) ?? linked);
    }),
    bills: bills.map((bill) => ({ bill, billJws: sealBill(bill, "server-1", SERVER) })),
  };
  return {
    ...{ format: "sublet-export", version: 2, serverId: "server-1" },
    ...{ exportedAt: "2027-02-01T00:00:00Z", serverKeys: [{ ...SERVER.publicJwk }], leases: [] },
    capacity: [bend.exported?.(exported) ?? exported],
  };
}

function linkRecords(
  records: readonly HashedRecord[],
  bend: CapacityBend["record"],
): readonly HashedRecord[] {
  let previousHash = records[0]?.record.previousHash ?? "";
  return records.map(({ record }) => {
    const linked = { ...record, previousHash };
    const bent = record.seq === 2 ? (bend?.(linked) ?? linked) : linked;
    const hash = hashRecord(bent);
    previousHash = hash;
    return { record: bent, hash };
  });
}

function linkActs(acts: readonly HashedAct[], bend: CapacityBend["act"]): readonly HashedAct[] {
  let previousHash = acts[0]?.record.previousHash ?? "";
  return acts.map(({ record }) => {
    const linked = { ...record, previousHash };
    const bent = bend?.(linked) ?? linked;
    const hash = hashAct(bent);
    previousHash = hash;
    return { record: bent, hash };
  });
}
