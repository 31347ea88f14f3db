import type { HashedRecord } from "../../meter/record.ts";
import type { KeyRing } from "../../signature/key.ts";
import type { BillDocument } from "../bill.ts";
import type { LeaseExport } from "../export.ts";
import { readBatches } from "./batches.ts";
import { checkEvidence } from "./evidence.ts";
import { checkGrants, type Granted } from "./grants.ts";
import { agentKeyOf } from "./keys.ts";
import { checkLines } from "./lines.ts";
import { checkPeriod } from "./periods.ts";
import { quotedMicros } from "./prices.ts";
import { checkRecords } from "./records.ts";
import type { Report } from "./report.ts";
import { checkSeal } from "./seal.ts";
import { checkSums } from "./sums.ts";
import { checkWipeReceipt, readWipeReceipt } from "./wipe.ts";

export interface BillFacts {
  readonly billId: string;
  /** Null: of enabled capacity. */
  readonly leaseId: string | null;
  readonly number: number;
  readonly kind: string;
  readonly totalMicros: string;
  readonly currency: string;
}

interface Of {
  readonly serverId: string;
  readonly serverKeys: KeyRing;
  /** Texts of the batches by id, over all leases. */
  readonly batches: Map<string, string>;
}

/** One lease: what was granted, the chain of its records, its wipe, and each of its bills in order. */
export function verifyLease(lease: LeaseExport, of: Of, report: Report): readonly BillFacts[] {
  const { serverKeys } = of;
  const bills = lease.bills.map(({ bill }) => bill);
  const agentKey = agentKeyOf(lease, report);
  const granted = report.check(
    "the server granted this lease to this host and partition, at the bill's prices",
    () => checkGrants(lease, serverKeys, agentKey, report),
  );
  if (granted !== null) {
    const message = `the export is of ${of.serverId}, the grant of ${granted.first.iss}`;
    report.require(granted.first.iss === of.serverId, "issuer-differs", "grantJws", message);
  }
  const records = report.check("every batch of records is signed by the host's key", () =>
    readBatches(lease, { agentKey, granted, seen: of.batches }, report),
  );
  const receipt = readWipeReceipt(lease, agentKey);
  report.check(
    "no record was altered, left out or repeated, from the grant to the final one",
    () => {
      checkRecords(records, granted, report);
      checkEnds(lease, { records, granted, isUnused: receipt?.finalSeq === 0 }, report);
    },
  );
  if (granted !== null) {
    report.check("the host signed that it wiped this lease, after the last record billed", () =>
      checkWipeReceipt(lease, { agentKey, serverKeys }, granted, records, report),
    );
  }
  for (const [index, bill] of bills.entries()) {
    const where = `bills[${index}]`;
    const earlier = bills.slice(0, index);
    checkOne(lease, { bill, earlier, records, granted, where, of }, report);
  }
  if (bills.length === 0) {
    report.add("not-billed", "bills", "nothing of this lease is billed yet");
  }
  return bills.map(({ billId, leaseId, number, kind, totalMicros, tariff }) => {
    return { billId, leaseId, number, kind, totalMicros, currency: tariff.currency };
  });
}

interface One {
  readonly bill: BillDocument;
  readonly earlier: readonly BillDocument[];
  readonly records: readonly HashedRecord[];
  readonly granted: Granted | null;
  readonly where: string;
  readonly of: Of;
}

function checkOne(lease: LeaseExport, one: One, report: Report): void {
  const { bill, earlier, records, granted, where } = one;
  report.check("the server sealed exactly this bill", () =>
    checkSeal(lease.bills[earlier.length]?.billJws ?? "", { ...one, ...one.of }, report),
  );
  report.check("the bills of a lease follow each other, cut at the edges of the months", () =>
    checkPeriod(bill, earlier, granted, where, report),
  );
  const shown = records.slice(0, bill.evidence.finalSeq);
  const wipedAt = bill.evidence.wipedAt;
  const until = granted?.ends.includes(bill.evidence.grantedUntil)
    ? bill.evidence.grantedUntil
    : granted?.ends.at(-1);
  const allowed = {
    cpuMode: granted?.first.partition.cpuMode ?? shown[0]?.record.cpuMode ?? "dedicated",
    grantedFromMs: Date.parse(granted?.first.period.start ?? bill.evidence.grantedUntil),
    grantedUntilMs: Date.parse(until ?? bill.evidence.grantedUntil),
    wipedAtMs: wipedAt === null ? null : Date.parse(wipedAt),
  } as const;
  report.check("quantities, prices, amounts, sum and rounding follow from the records", () => {
    const { events } = lease;
    checkLines({ bill, earlier, records: shown, allowed, events, granted, where }, report);
    checkSums(bill, earlier, shown, where, report);
  });
  const events = bill.lines.filter(({ cause }) => cause !== undefined).length;
  if (events > 0) {
    report.add(
      "causes",
      `${where}.lines`,
      "how long it was not delivered follows from the records; which event caused it is the server's word",
    );
  }
  if (granted === null) return;
  report.check("the total is within what the granted period was quoted at", () => {
    const { first, grantedNs } = granted;
    const mostMicros = quotedMicros(first.partition, first.tariff, grantedNs);
    const soFar = [...earlier, bill].reduce(
      (sum, { totalMicros }) => sum + BigInt(totalMicros),
      0n,
    );
    report.require(
      soFar <= mostMicros,
      "total-above-quote",
      `${where}.totalMicros`,
      `the granted period could cost ${mostMicros} micros at the most`,
    );
  });
}

function checkEnds(
  { bills, wipeReceiptJws, removalJws }: LeaseExport,
  shown: {
    readonly records: readonly HashedRecord[];
    readonly granted: Granted | null;
    readonly isUnused: boolean;
  },
  report: Report,
): void {
  for (const [index, { bill }] of bills.entries()) {
    const isLast = index === bills.length - 1;
    const earlier = bills.slice(0, index).map((one) => one.bill);
    const hasReceipt = wipeReceiptJws !== null && removalJws === undefined;
    checkEvidence(
      { bill, earlier, isLast, hasReceipt, where: `bills[${index}]`, ...shown },
      report,
    );
  }
}
