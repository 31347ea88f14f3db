import type { KeyRing } from "../../../signature/key.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { CapacityBill } from "../../capacity/bill.ts";
import type { CapacityExport } from "../../export.ts";
import { rational, roundHalfEven } from "../rational.ts";
import type { Report } from "../report.ts";
import { checkSeal } from "../seal.ts";
import type { BillFacts } from "../verify-lease.ts";
import { type Meter, readMeters } from "./chains.ts";
import { checkDraws } from "./draws.ts";
import { type Evidence, readEvidence, type TrustedProviderKeys } from "./evidence.ts";
import { checkCapacityLines } from "./lines.ts";
import { checkPauses } from "./pauses.ts";
import { checkThresholds } from "./thresholds.ts";
import { checkCorrected, drawInTurn } from "./turns.ts";
import { countUse, type Shown, shownUpTo, totalUse } from "./use.ts";

interface Server {
  readonly serverId: string;
  readonly serverKeys: KeyRing;
  readonly trustedProviderKeys: TrustedProviderKeys;
}

/** Recomputes a provider's bills of a host from the codes, acts and records alone. */
export function verifyCapacity(
  exported: CapacityExport,
  server: Server,
  report: Report,
): readonly BillFacts[] {
  const evidence = report.check("codes, acts and records are signed by whose they are", () =>
    readEvidence(exported, server.trustedProviderKeys, report),
  );
  const meters = report.check("records follow from the acts and from one another", () =>
    readMeters(evidence, exported.hostId, report),
  );
  report.check("nothing was counted while the host said that a timer stood still", () =>
    checkPauses(evidence, meters, report),
  );
  report.check("codes were drawn on within their time, and none for more than it had", () =>
    checkDraws(evidence, meters, report),
  );
  const bills = exported.bills.map(({ bill }) => bill);
  return exported.bills.map(({ bill, billJws }, index) => {
    const where = `bills[${index}]`;
    const earlier = bills.slice(0, index);
    report.check("the bills are those that the server sealed", () =>
      checkSeal(billJws, { bill, earlier, ...server, where }, report),
    );
    report.check("each bill is what its time to bill comes to", () =>
      checkBill(bill, { exported, evidence, meters, earlier, where }, report),
    );
    const { billId, number, kind, totalMicros, currency } = bill;
    return { billId, leaseId: null, number, kind, totalMicros, currency };
  });
}

interface Around {
  readonly exported: CapacityExport;
  readonly evidence: Evidence;
  readonly meters: readonly Meter[];
  readonly earlier: readonly CapacityBill[];
  readonly where: string;
}

function checkBill(bill: CapacityBill, around: Around, report: Report): void {
  const { exported, evidence, meters, earlier, where } = around;
  const need = (holds: boolean, code: Parameters<Report["add"]>[0], message: string) =>
    report.require(holds, code, where, message);
  need(bill.number === earlier.length + 1, "bill-number-differs", "its number is out of turn");
  const isOurs =
    bill.client.id === exported.customerId &&
    bill.lender.id === exported.providerId &&
    bill.host.id === exported.hostId;
  need(isOurs, "bill-other-parties", "it is of another customer, provider or host");
  const hashed = evidence.acts.find(({ record }) => record.seq === bill.act.seq);
  const act = hashed?.record.act;
  if (!hashed || act?.kind !== "time-to-bill" || act.providerId !== exported.providerId) {
    report.add("bill-act-differs", where, "no time to bill of that number is in the export");
    return;
  }
  const isAct =
    bill.act.hash === hashed.hash &&
    bill.act.at === hashed.record.at &&
    bill.act.reason === act.reason;
  need(isAct, "bill-act-differs", "the host's act says otherwise");
  const isPeriod = canonicalJson(bill.period) === canonicalJson(act.period);
  need(isPeriod, "period-differs", "the act is of another period");
  checkRepeated(bill, earlier, where, report);
  const until = Math.max(bill.act.seq, ...earlier.map((one) => one.act.seq));
  const isKnown = (seq: number) => seq <= until && !isLacking(bill, seq);
  const acts = evidence.acts.filter(({ record }) => isKnown(record.seq));
  const begun = meters.filter(({ actSeq, serviceSeq }) => isKnown(actSeq) && isKnown(serviceSeq));
  const { shown, named } = shownUpTo(acts, begun, exported.providerId);
  const asKnown = upToEvidence(shown, bill);
  checkEvidence(bill, shown, named, around, report);
  const lacking = bill.evidence.missingActs.reduce(
    (sum, one) => sum + one.toSeq - one.fromSeq + 1,
    0,
  );
  need(acts.length + lacking === until, "act-missing", "acts up to its last are not in the export");
  const groups = countUse(asKnown, where, report);
  const counted = groups.flatMap(({ pieces }) => pieces);
  const books = { evidence, acts, known: knownDraws(begun, bill) };
  checkThresholds(bill, counted, books, where, report);
  const drawn = drawInTurn(counted, books);
  checkCorrected(bill, counted, { drawn, acts, where }, report);
  const uses = totalUse(groups, drawn);
  const own = new Set<string>(act.chains.map(({ chainId }) => chainId));
  const codeOf = (codeId: string) => evidence.codes.get(codeId)?.code;
  checkCapacityLines({ bill, earlier, uses, codeOf, named: own, where }, report);
  checkSums(bill, around, report);
  checkUsed(bill, asKnown, where, report);
}

function isLacking({ evidence }: CapacityBill, seq: number): boolean {
  return evidence.missingActs.some(({ fromSeq, toSeq }) => fromSeq <= seq && seq <= toSeq);
}

/** A time to bill is billed once; again only to set right the incomplete bill before this one. */
function checkRepeated(
  bill: CapacityBill,
  earlier: readonly CapacityBill[],
  where: string,
  report: Report,
): void {
  const last = earlier.at(-1);
  const isCorrection =
    last?.incomplete === true &&
    last.act.seq === bill.act.seq &&
    bill.corrects?.billId === last.billId &&
    bill.corrects.number === last.number;
  const isTwice = earlier.some((one) => one.act.seq === bill.act.seq);
  const holds = bill.corrects === undefined ? !isTwice : isCorrection;
  report.require(holds, "bill-act-repeated", where, "this time to bill was billed before");
}

/** What the bill had read of each chain when it looked what the codes had left. */
function knownDraws(meters: readonly Meter[], { evidence }: CapacityBill) {
  const read = new Map<string, number>(
    (evidence.drawn ?? evidence.chains).map((one) => [one.chainId, one.seq]),
  );
  return meters.flatMap(({ chainId, records }) =>
    records.map(({ record }) => record).filter(({ seq }) => seq <= (read.get(chainId) ?? 0)),
  );
}

/** Records that came after the bill had closed, incomplete, are not its own. */
function upToEvidence(shown: readonly Shown[], bill: CapacityBill): readonly Shown[] {
  const read = new Map<string, number>(bill.evidence.chains.map((one) => [one.chainId, one.seq]));
  return shown.map(({ meter, records }) => ({
    meter,
    records: records.filter(({ record }) => record.seq <= (read.get(meter.chainId) ?? 0)),
  }));
}

function checkEvidence(
  bill: CapacityBill,
  shown: readonly Shown[],
  named: ReadonlyMap<string, number>,
  { meters, where }: Around,
  report: Report,
): void {
  const { chains, missing, missingActs } = bill.evidence;
  const drawn = bill.evidence.drawn ?? chains;
  const need = (holds: boolean, code: Parameters<Report["add"]>[0], message: string) =>
    report.require(holds, code, `${where}.evidence`, message);
  for (const { chainId, seq, hash } of chains) {
    const own = shown.find(({ meter }) => meter.chainId === chainId)?.records ?? [];
    const last = own.find(({ record }) => record.seq === seq);
    const isThere = seq === 0 ? hash === null : last?.hash === hash;
    need(isThere, "evidence-hash-differs", `${chainId} does not end so`);
    const isLong = (own.at(-1)?.record.seq ?? 0) >= seq;
    need(isLong, "record-missing", `${chainId} has no records up to ${seq} without a gap`);
    const isAll = seq === (own.at(-1)?.record.seq ?? 0) || bill.incomplete === true;
    need(isAll, "evidence-seq-differs", `${chainId} goes further than the bill says`);
  }
  // A chain whose acts came after the bill had closed was missing from its first record on.
  const known = new Set<string>([
    ...chains.map(({ chainId }) => chainId),
    ...missing.filter(({ fromSeq }) => fromSeq === 1).map(({ chainId }) => chainId),
  ]);
  const isShown = shown.every(
    ({ meter, records }) => records.length === 0 || known.has(meter.chainId),
  );
  need(isShown, "evidence-chain-missing", "a chain that has use is not among them");
  for (const { chainId, seq } of drawn) {
    const isThere = meters.some((one) => one.chainId === chainId && one.records.length >= seq);
    need(isThere, "record-missing", `${chainId} has no records up to ${seq}, which draw on codes`);
  }
  const isDrawn = chains.every(
    ({ chainId, seq }) => (drawn.find((one) => one.chainId === chainId)?.seq ?? 0) >= seq,
  );
  need(isDrawn, "evidence-seq-differs", "what is charged was not looked at for what it draws on");
  for (const [chainId, head] of named) {
    const read = chains.find((one) => one.chainId === chainId)?.seq ?? 0;
    const isTold = missing.some((one) => one.chainId === chainId && one.toSeq >= read);
    const isCut = bill.incomplete === true && missing.length + missingActs.length > 0;
    need(read >= head || isTold || isCut, "record-missing", `${chainId} ends before ${head}`);
  }
  const isTold = (bill.incomplete === true) === missing.length + missingActs.length > 0;
  need(isTold, "incomplete-differs", "what lacks and what the bill says of it do not agree");
  if (bill.incomplete) {
    const message = "the bill was closed on what had come: more may have been used";
    report.add("bill-incomplete", `${where}.incomplete`, message);
  }
}

function checkUsed(
  bill: CapacityBill,
  shown: readonly Shown[],
  where: string,
  report: Report,
): void {
  const own = shown
    .flatMap(({ records }) => records.map(({ record }) => record))
    .filter((record) => record.capacity?.period.start === bill.period.start);
  const ends = own.map(({ to }) => Date.parse(to.at)).sort((a, b) => b - a);
  const begins = own.map(({ from }) => Date.parse(from.at)).sort((a, b) => a - b);
  const isSame =
    bill.used === null
      ? own.length === 0
      : Date.parse(bill.used.start) === begins[0] && Date.parse(bill.used.end) === ends[0];
  report.require(isSame, "used-differs", `${where}.used`, "the records lie otherwise in time");
}

function checkSums(bill: CapacityBill, { evidence, earlier, where }: Around, report: Report): void {
  const need = (holds: boolean, code: Parameters<Report["add"]>[0], message: string) =>
    report.require(holds, code, where, message);
  for (const { codeId, tariff } of bill.tariffs) {
    const code = evidence.codes.get(codeId)?.code;
    const isCode = canonicalJson(code?.tariff ?? null) === canonicalJson(tariff);
    need(isCode, "tariff-not-granted", `the code ${codeId} has another tariff`);
    const isMoney =
      tariff.currency === bill.currency && tariff.minorUnitDigits === bill.minorUnitDigits;
    need(isMoney, "currency-differs", `the code ${codeId} is in another currency`);
  }
  const add = (all: readonly string[]) => all.reduce((sum, one) => sum + BigInt(one), 0n);
  const sum = add(bill.lines.map(({ amountMicros }) => amountMicros));
  need(bill.sumMicros === sum.toString(), "sum-differs", `the lines come to ${sum}`);
  const carried = add(earlier.map(({ remainderMicros }) => remainderMicros));
  need(bill.carriedMicros === carried.toString(), "carried-differs", `${carried} was left over`);
  const digits = 6 - bill.minorUnitDigits;
  const total = roundedTo(carried + sum, BigInt(`1${"0".repeat(digits)}`));
  need(bill.totalMicros === total.toString(), "total-differs", `the total is ${total}`);
  const rest = sum - total;
  need(bill.remainderMicros === rest.toString(), "remainder-differs", `${rest} is left over`);
  const fees = [...evidence.codes.values()].map(({ code }) => {
    const own = bill.lines.filter(({ codeId }) => codeId === code.jti);
    const earned = add(own.map(({ amountMicros }) => amountMicros));
    return signed(earned * BigInt(code.tariff.operatorFeePpm), 1_000_000n);
  });
  const fee = fees.reduce((all, one) => all + one, 0n);
  need(bill.feeMicros === fee.toString(), "fee-differs", `the operator's part is ${fee}`);
  const isKnown = bill.lines.every(({ codeId }) =>
    bill.tariffs.some((one) => one.codeId === codeId),
  );
  need(isKnown, "tariff-missing", "a line's tariff is not among those of the bill");
}

function roundedTo(micros: bigint, unit: bigint): bigint {
  return signed(micros, unit) * unit;
}

/** Half to even, below zero as above. */
function signed(over: bigint, under: bigint): bigint {
  const whole = roundHalfEven(rational(over < 0n ? -over : over, under));
  return over < 0n ? -whole : whole;
}
