import type { HashedRecord } from "../../meter/record.ts";
import type { BillDocument } from "../bill.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

interface Ended {
  readonly bill: BillDocument;
  readonly earlier: readonly BillDocument[];
  readonly records: readonly HashedRecord[];
  readonly granted: Granted | null;
  /** The host signed that it never metered anything, so there is no final record. */
  readonly isUnused: boolean;
  /** Of the wipe, by which the host says how many records there are. */
  readonly hasReceipt: boolean;
  readonly isLast: boolean;
  readonly where: string;
}

/** Does the bill rest on the records that it says, as far as it had to wait for them? */
export function checkEvidence(ended: Ended, report: Report): void {
  const { bill, earlier, records, granted, where } = ended;
  const { finalSeq, finalHash, grantedUntil } = bill.evidence;
  const last = records[finalSeq - 1] ?? null;
  const known = earlier.at(-1)?.evidence.finalSeq ?? 0;
  const isAll = bill.kind === "interim" || bill.incomplete === true || finalSeq === records.length;
  report.require(
    finalSeq <= records.length && finalSeq >= known && (isAll || !ended.isLast),
    "evidence-seq-differs",
    `${where}.evidence`,
    `the bill was made up to record ${finalSeq}; the export ends with ${records.length}`,
  );
  report.require(
    finalHash === (last?.hash ?? null),
    "evidence-hash-differs",
    `${where}.evidence`,
    "the bill was made from another last record",
  );
  if (granted !== null) {
    report.require(
      granted.ends.includes(grantedUntil),
      "granted-until-differs",
      `${where}.evidence`,
      `no grant in the export ends at ${grantedUntil}`,
    );
    checkEnd(last, ended, report);
  }
  checkMissing(ended, report);
}

function checkEnd(last: HashedRecord | null, ended: Ended, report: Report): void {
  const { bill, isUnused, where } = ended;
  const place = last === null ? "usageBatches" : `record ${last.record.seq}`;
  const hasFinal = last?.record.final === true;
  if (bill.incomplete === true) {
    if (hasFinal) {
      const message = "the bill says that records are missing, and the final one is here";
      report.add("incomplete-with-final", `${where}.incomplete`, message);
      return;
    }
    const message =
      "the bill was closed without all records, on what had arrived: more may have been used; it is not in this bill";
    report.add("bill-incomplete", `${where}.incomplete`, message);
  } else if (bill.kind === "interim") {
    const isReached =
      last !== null && Date.parse(last.record.to.at) >= Date.parse(bill.period?.end ?? "");
    const message = "the records do not reach the end of the bill's period, and it does not say so";
    report.require(isReached, "period-not-reached", place, message);
  } else {
    const message = "there is no final record, so more may have been used than is shown";
    report.require(hasFinal || (last === null && isUnused), "final-missing", place, message);
  }
}

/** Numbers that the bill names as missing begin behind its last; a whole one names none. */
function checkMissing({ bill, where, hasReceipt }: Ended, report: Report): void {
  const { missing, finalSeq } = bill.evidence;
  const [first] = missing;
  const isRight = bill.incomplete ? first?.fromSeq === finalSeq + 1 : missing.length === 0;
  const isInOrder = missing.every(
    ({ fromSeq, toSeq }, index) =>
      fromSeq > (missing[index - 1]?.toSeq ?? finalSeq) &&
      (toSeq === null ? index === missing.length - 1 : toSeq >= fromSeq),
  );
  const isBounded =
    !hasReceipt || bill.kind === "interim" || missing.every(({ toSeq }) => toSeq !== null);
  const message = "the numbers that it names as missing are not those behind its last record";
  report.require(
    isRight && isInOrder && isBounded,
    "missing-differs",
    `${where}.evidence.missing`,
    message,
  );
}
