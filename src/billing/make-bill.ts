import type { Tariff } from "../market/tariff.ts";
import type { DeliveryEvent } from "../meter/cause.ts";
import type { HashedRecord } from "../meter/record.ts";
import { NS_PER_MS } from "../rating/not-delivered.ts";
import { portion, type Span, touches } from "../rating/portion.ts";
import type { RatingTerms } from "../rating/rate-period.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import { divideHalfEven } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { BillDocument, BillKind, BillLine, BillPeriod, MissingRecords } from "./bill.ts";
import { correctionLines, type LineTerms, periodLines } from "./lines.ts";
import { spanOf } from "./period.ts";

type Identity = Pick<
  BillDocument,
  "billId" | "leaseId" | "client" | "lender" | "host" | "partition" | "timeZone"
>;

export interface BillInput extends Identity {
  readonly tariff: Tariff;
  readonly cpuMode: CpuMode;
  readonly size: Size;
  readonly kind: BillKind;
  /** Null for a correction. */
  readonly period: BillPeriod | null;
  /** The lease's bills before this one, by number. */
  readonly earlier: readonly BillDocument[];
  /** The lease's chain from its begin, in order, without a gap, already checked by `checkChain`. */
  readonly records: readonly HashedRecord[];
  readonly missing: readonly MissingRecords[];
  /** The length of the granted period, extensions included: no more time than this is charged. */
  readonly grantedNs: bigint;
  /** The begin of the granted period. */
  readonly grantedFrom: string;
  /** Of the host's wipe receipt. */
  readonly wipedAt: string | null;
  /** Of the lease, by number: what tells why it was not delivered. */
  readonly events: readonly DeliveryEvent[];
  readonly closedAt: Date;
  /** Records up to the period's end are not among them. */
  readonly incomplete?: boolean;
}

/**
 * The next bill of a lease. For its own period: a line for cpu, memory and disk each, even at zero;
 * one for the flat part when it has a price; and for time that is not charged one line, free of
 * charge, for each cause and event. For the periods of earlier bills: the difference between what
 * is known now and what they and their corrections said.
 */
export function makeBill(input: BillInput): BillDocument {
  const { tariff, records, period, earlier } = input;
  assertConsecutive(records);
  const own = period === null ? null : spanOf(period, earlier.length === 0);
  const terms: LineTerms = { ...input, host: input.host.id, partition: input.partition.id };
  const rating: RatingTerms = input;
  const lines: BillLine[] = [
    ...(period === null || own === null ? [] : periodLines(records, rating, terms, own, period)),
    ...correctionLines(records, rating, terms, earlier),
  ];
  const sumMicros = sum(lines.map((line) => BigInt(line.amountMicros)));
  const carriedMicros = sum(earlier.map((bill) => BigInt(bill.remainderMicros)));
  const totalMicros = roundToMinorUnit(carriedMicros + sumMicros, tariff);
  const last = records.at(-1);
  const within = own === null ? [] : records.filter(({ record }) => touches(record, own));
  const inPeriod = (name: "elapsedNs" | "deliveredNs") =>
    sum(within.map(({ record }) => (own ? portion(BigInt(record[name]), record, own) : 0n)));
  return {
    version: 2,
    billId: input.billId,
    leaseId: input.leaseId,
    number: earlier.length + 1,
    kind: input.kind,
    previous: previousOf(earlier),
    client: input.client,
    lender: input.lender,
    host: input.host,
    partition: input.partition,
    tariff,
    timeZone: input.timeZone,
    period,
    used: usedOf(within, own),
    closedAt: input.closedAt.toISOString(),
    lines,
    sumMicros: sumMicros.toString(),
    carriedMicros: carriedMicros.toString(),
    totalMicros: totalMicros.toString(),
    remainderMicros: (sumMicros - totalMicros).toString(),
    evidence: {
      finalSeq: last?.record.seq ?? 0,
      finalHash: last?.hash ?? null,
      missing: [...input.missing],
      grantedUntil: grantedUntil(input),
      wipedAt: input.wipedAt,
    },
    elapsedNs: inPeriod("elapsedNs").toString(),
    deliveredNs: inPeriod("deliveredNs").toString(),
    ...(input.incomplete ? { incomplete: true, estimated: false } : {}),
  };
}

function grantedUntil({ grantedFrom, grantedNs }: BillInput): string {
  return new Date(Date.parse(grantedFrom) + Number(grantedNs / NS_PER_MS)).toISOString();
}

function previousOf(earlier: readonly BillDocument[]): BillDocument["previous"] {
  const previous = earlier.at(-1);
  if (previous === undefined) return null;
  return { billId: previous.billId, documentSha256: sha256Hex(canonicalJson(previous)) };
}

/** Where the first and the last record straddle an edge, the edge. */
function usedOf(within: readonly HashedRecord[], span: Span | null): BillDocument["used"] {
  const first = within[0];
  const last = within.at(-1);
  if (span === null || first === undefined || last === undefined) return null;
  const startMs = Math.max(Date.parse(first.record.from.at), span.fromMs ?? -Infinity);
  const endMs = Math.min(Date.parse(last.record.to.at), span.untilMs ?? Infinity);
  return { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() };
}

/**
 * One rounding a bill, and over the bills of a lease as if they were one: what rounding gave or
 * took so far goes into the next, so that all of them cost what a single one would have.
 */
function roundToMinorUnit(micros: bigint, { minorUnitDigits }: Tariff): bigint {
  const minorUnitMicros = 10n ** BigInt(6 - minorUnitDigits);
  return divideHalfEven(micros, minorUnitMicros) * minorUnitMicros;
}

/** A record given twice, or left out, would be money; whoever calls this has made a mistake. */
function assertConsecutive(records: readonly HashedRecord[]): void {
  for (const [index, { record }] of records.entries()) {
    if (record.seq !== index + 1) {
      throw new Error(`record ${record.seq} stands where ${index + 1} belongs; no bill was made`);
    }
  }
}

function sum(parts: readonly bigint[]): bigint {
  return parts.reduce((total, part) => total + part, 0n);
}
