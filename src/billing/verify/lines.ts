import type { HashedRecord } from "../../meter/record.ts";
import type { BillDocument, BillLine } from "../bill.ts";
import type { LeaseExport } from "../export.ts";
import type { Granted } from "./grants.ts";
import { type Stretch, stretchOf } from "./periods.ts";
import { amountOf, notChargedOf, priceOf, unitOf } from "./prices.ts";
import { type Allowed, piecesOf, quantitiesWithin, sortName } from "./quantities.ts";
import type { Report } from "./report.ts";

/** What a bill's lines are held against. */
export interface Against {
  readonly bill: BillDocument;
  /** Of the same lease, by number. */
  readonly earlier: readonly BillDocument[];
  /** Those that the bill was made from. */
  readonly records: readonly HashedRecord[];
  readonly allowed: Allowed;
  readonly events: LeaseExport["events"];
  readonly granted: Granted | null;
  readonly where: string;
}

/** Each line in itself; and for each period, its own and those before, all that it must come to. */
export function checkLines(against: Against, report: Report): void {
  const { bill, earlier, where } = against;
  for (const [index, line] of bill.lines.entries()) {
    checkLine(line, against, `${where}.lines[${index}]`, report);
  }
  const pieces = piecesOf(against.records, against.allowed);
  for (const one of [...earlier, bill]) {
    if (one.period === null) continue;
    const { beginMs, endMs } = stretchOf(one.period, one.number === 1);
    const right = new Map(quantitiesWithin(pieces, beginMs, endMs));
    for (const line of earlier.flatMap(({ lines }) => lines)) {
      if (line.period.start !== one.period.start) continue;
      const name = sortName(line);
      right.set(name, (right.get(name) ?? 0n) - BigInt(line.quantity));
    }
    comparePeriod(against, one, right, report);
  }
}

/** `right`: by sort, what the bill must have for this period; a correction, what it must add. */
function comparePeriod(
  { bill, where, granted }: Against,
  billed: BillDocument,
  right: ReadonlyMap<string, bigint>,
  report: Report,
): void {
  const isOwn = billed.billId === bill.billId;
  const stated = new Map<string, bigint>();
  const places = new Map<string, string>();
  const seen = new Set<string>();
  for (const [index, line] of bill.lines.entries()) {
    if (line.period.start !== billed.period?.start) continue;
    const name = sortName(line);
    const place = `${where}.lines[${index}]`;
    const identity = `${name} ${line.event?.seq ?? ""}`;
    report.require(!seen.has(identity), "line-repeated", place, `${name} is there twice`);
    if (seen.has(identity)) continue;
    seen.add(identity);
    stated.set(name, (stated.get(name) ?? 0n) + BigInt(line.quantity));
    places.set(name, places.get(name) ?? place);
    const isDue = (right.get(name) ?? 0n) !== 0n || (isOwn && isAlways(line, bill, granted));
    const isSplit = line.event !== undefined && !isOwn;
    if (!isDue && !isSplit) {
      report.add("line-unexpected", place, `the records give no reason for a line ${name}`);
    }
  }
  for (const [name, quantity] of [...right, ...alwaysThere(isOwn, bill, granted, right)]) {
    if (isUnpriced(name, bill)) continue;
    const is = stated.get(name);
    if (is === undefined) {
      const message = `there is no line ${name} for ${billed.period?.start}`;
      if (quantity !== 0n || isOwn) report.add("line-missing", `${where}.lines`, message);
      continue;
    }
    const message = `${name}: the quantity is ${is}, not ${quantity}`;
    report.require(is === quantity, "line-quantity-differs", places.get(name) ?? where, message);
  }
}

/** What is charged for has a line even at zero, in the bill of its own period. */
function alwaysThere(
  isOwn: boolean,
  bill: BillDocument,
  granted: Granted | null,
  right: ReadonlyMap<string, bigint>,
): [string, bigint][] {
  if (!isOwn) return [];
  const cpu = isShared(bill, granted) ? "cpu used-while-delivered" : "cpu reserved-while-delivered";
  const names = [
    cpu,
    ...["memory", "disk", "time"].map((one) => `${one} reserved-while-delivered`),
  ];
  return names.filter((name) => !right.has(name)).map((name) => [name, 0n]);
}

function isAlways(line: BillLine, bill: BillDocument, granted: Granted | null): boolean {
  return alwaysThere(true, bill, granted, new Map()).some(([name]) => name === sortName(line));
}

function isShared({ lines }: BillDocument, granted: Granted | null): boolean {
  if (granted !== null) return granted.first.partition.cpuMode === "shared";
  return lines.some(({ rule }) => rule === "used-while-delivered");
}

/** The flat part has no line where it has no price. */
function isUnpriced(name: string, { tariff }: BillDocument): boolean {
  return name === "time reserved-while-delivered" && tariff.priceMicrosPerHour === "0";
}

function checkLine(line: BillLine, against: Against, where: string, report: Report): void {
  const { bill, granted } = against;
  const { resource, quantity } = line;
  const price = priceOf(line, bill.tariff);
  const compare = [
    ["line-unit-differs", "unit", line.unit, unitOf(resource)],
    ["line-price-differs", "price", line.priceMicrosPerHour, price],
    [
      "line-amount-differs",
      "amount",
      line.amountMicros,
      String(amountOf(resource, BigInt(quantity), price)),
    ],
    ["line-place-differs", "host", line.host, bill.host.id],
    ["line-place-differs", "partition", line.partition, bill.partition.id],
  ] as const;
  for (const [code, noun, stated, right] of compare) {
    const message = `${sortName(line)}: the ${noun} is ${stated}, not ${right}`;
    report.require(stated === right, code, where, message);
  }
  if (granted !== null) {
    const right = line.cause && String(notChargedOf(line, granted.first.partition, bill.tariff));
    report.require(
      line.notChargedMicros === right,
      "line-not-charged-differs",
      where,
      `it would have cost ${right ?? "what it costs"}, not ${line.notChargedMicros}`,
    );
  }
  checkCorrects(line, against, where, report);
  checkEvent(line, against, where, report);
  checkShown(line, against, where, report);
}

/** A line of another period than the bill's own says which bill it sets right. */
function checkCorrects(
  line: BillLine,
  { bill, earlier }: Against,
  where: string,
  report: Report,
): void {
  const of = [...earlier, bill].find(({ period }) => period?.start === line.period.start);
  const isOwn = of?.billId === bill.billId;
  const isRight =
    of !== undefined &&
    of.period?.end === line.period.end &&
    line.corrects?.billId === (isOwn ? undefined : of.billId) &&
    line.corrects?.number === (isOwn ? undefined : of.number);
  const message = "its period is not that of this bill, nor of the one that it says it corrects";
  report.require(isRight, "line-corrects-differs", where, message);
}

function checkEvent(line: BillLine, { events }: Against, where: string, report: Report): void {
  const { event } = line;
  if (event === undefined) return;
  const known = events.find(({ seq }) => seq === event.seq);
  const isSame =
    known?.at === event.at && known.kind === event.kind && known.reason === event.reason;
  const message = `the lease has no event ${event.seq} that says this`;
  report.require(isSame, "line-event-differs", where, message);
}

/** The records that a line of the bill's own period leads to are those of the period. */
function checkShown(
  line: BillLine,
  { bill, records, where: billWhere }: Against,
  where: string,
  report: Report,
): void {
  const first = line.records?.fromSeq ?? 1;
  const last = line.records?.toSeq ?? 1;
  const isThere = first <= last && last <= Math.max(1, records.length);
  const isCharged = line.cause === undefined && line.corrects === undefined;
  const stretch = isCharged && bill.period ? stretchOf(bill.period, bill.number === 1) : null;
  const within = stretch === null ? null : seqsWithin(records, stretch);
  const isExact =
    within === null ||
    (within.at(0) === line.records?.fromSeq && within.at(-1) === line.records?.toSeq);
  const message = `it leads to records ${first} to ${last}, which are not those that ${billWhere} has for it`;
  report.require(isThere && isExact, "line-records-differ", where, message);
}

export function seqsWithin(
  records: readonly HashedRecord[],
  { beginMs, endMs }: Stretch,
): readonly number[] {
  return records
    .filter(({ record: { from, to } }) => {
      const begin = Date.parse(from.at);
      return begin < endMs && Math.max(begin + 1, Date.parse(to.at)) > beginMs;
    })
    .map(({ record }) => record.seq);
}
