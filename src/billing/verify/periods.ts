import { nextMonthEdge } from "../../unit/month.ts";
import type { BillDocument } from "../bill.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

/** From when to when the use is that a bill, or a line, is of; both ends may be open. */
export interface Stretch {
  readonly beginMs: number;
  readonly endMs: number;
}

/** A first period takes what was before it, too, and a last one all that follows. */
export function stretchOf(
  { start, end }: NonNullable<BillDocument["period"]>,
  isFirst: boolean,
): Stretch {
  return {
    beginMs: isFirst ? -Infinity : Date.parse(start),
    endMs: end === null ? Infinity : Date.parse(end),
  };
}

/** Do the periods follow each other, from the grant's begin, cut at the edges of the months? */
export function checkPeriod(
  bill: BillDocument,
  earlier: readonly BillDocument[],
  granted: Granted | null,
  where: string,
  report: Report,
): void {
  checkKind(bill, earlier, where, report);
  const zone = granted?.first.billingTimeZone ?? (granted === null ? bill.timeZone : "UTC");
  report.require(
    bill.timeZone === zone,
    "time-zone-differs",
    `${where}.timeZone`,
    `its months are those of ${bill.timeZone}; the grant says ${zone}`,
  );
  if (bill.kind === "correction") {
    const message = "a correction has no period of its own; its lines have";
    report.require(bill.period === null, "period-differs", `${where}.period`, message);
    return;
  }
  const before = earlier.findLast(({ period }) => period !== null)?.period;
  const start = before?.end ?? granted?.first.period.start ?? bill.period?.start;
  const edge = start === undefined ? null : edgeAfter(start, zone);
  const end = bill.kind === "interim" ? edge : null;
  const isRight = start !== undefined && bill.period?.start === start && bill.period.end === end;
  const message = `it should be from ${start} to ${end ?? "the lease's end"}`;
  report.require(isRight, "period-differs", `${where}.period`, message);
  if (bill.kind === "final" && edge !== null && bill.used !== null) {
    report.require(
      Date.parse(bill.used.end) <= Date.parse(edge),
      "month-edge-missing",
      `${where}.used`,
      `its use goes beyond ${edge}, where a month ends and a bill should`,
    );
  }
}

function checkKind(
  { number, kind }: BillDocument,
  earlier: readonly BillDocument[],
  where: string,
  report: Report,
): void {
  report.require(
    number === earlier.length + 1,
    "bill-number-differs",
    `${where}.number`,
    `it is number ${number} of the lease, where ${earlier.length + 1} belongs: a bill is left out, or twice there`,
  );
  const hasFinal = earlier.some((bill) => bill.kind === "final");
  report.require(
    hasFinal === (kind === "correction"),
    "bill-kind-differs",
    `${where}.kind`,
    hasFinal
      ? `after the final bill comes a correction, not ${kind}`
      : "there is nothing final yet",
  );
}

/** Null for a zone that this computer does not know. */
function edgeAfter(start: string, zone: string): string | null {
  try {
    return nextMonthEdge(new Date(start), zone).toISOString();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
