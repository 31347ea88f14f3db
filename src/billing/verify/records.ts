import type { HashedRecord, UsageRecord } from "../../meter/record.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

/** Checks each record against the grant, in itself and against the one before. */
export function checkRecords(
  records: readonly HashedRecord[],
  granted: Granted | null,
  report: Report,
): void {
  let previous: HashedRecord | null = null;
  for (const hashed of records) {
    const where = `record ${hashed.record.seq}`;
    const hash = sha256Hex(canonicalJson(hashed.record));
    report.require(hash === hashed.hash, "record-bad-hash", where, "its hash is not its content's");
    if (granted !== null) checkTerms(hashed.record, granted, where, report);
    checkPlace(previous, hashed, granted, where, report);
    checkTimes(hashed.record, where, report);
    previous = hashed;
  }
}

function checkTerms(record: UsageRecord, { first }: Granted, where: string, report: Report): void {
  const { partitionId, cpuMode, size } = first.partition;
  const compare = [
    ["record-other-chain", "lease", record.chainId, first.leaseId],
    ["record-other-host", "host", record.hostId, first.aud],
    ["record-other-partition", "partition", record.partitionId, partitionId],
    ["record-other-cpu-mode", "cpu mode", record.cpuMode, cpuMode],
    ["record-other-size", "size", canonicalJson(record.size), canonicalJson(size)],
  ] as const;
  for (const [code, noun, stated, allowed] of compare) {
    report.require(
      stated === allowed,
      code,
      where,
      `its ${noun} is ${stated}, granted: ${allowed}`,
    );
  }
}

function checkPlace(
  previous: HashedRecord | null,
  { record }: HashedRecord,
  granted: Granted | null,
  where: string,
  report: Report,
): void {
  const expectedSeq = (previous?.record.seq ?? 0) + 1;
  if (record.seq !== expectedSeq) {
    const missing = `${expectedSeq} to ${record.seq - 1}`;
    report.add("record-missing", where, `records ${missing} are not in the export`);
    return;
  }
  if (previous === null) {
    report.require(
      granted === null || record.previousHash === granted.origin,
      "record-not-from-grant",
      where,
      "the first record does not name this grant",
    );
    return;
  }
  report.require(
    record.previousHash === previous.hash,
    "record-broken-link",
    where,
    "it does not name the record before: something was altered, or taken out and closed up",
  );
  report.require(!previous.record.final, "record-after-final", where, "it follows a final record");
  report.require(
    canonicalJson(record.from) === canonicalJson(previous.record.to),
    "record-not-joined",
    where,
    "it does not begin where the one before ended",
  );
}

function checkTimes(record: UsageRecord, where: string, report: Report): void {
  const elapsedNs = BigInt(record.elapsedNs);
  const deliveredNs = BigInt(record.deliveredNs);
  const begin = BigInt(record.from.monotonicNs);
  const end = BigInt(record.to.monotonicNs);
  if (record.from.bootId !== record.to.bootId) {
    report.require(
      deliveredNs === 0n,
      "record-delivered-across-boots",
      where,
      "the host restarted in this interval, yet time counts as delivered",
    );
    report.require(record.gap, "record-gap-unmarked", where, "a restart of the host is a gap");
  } else if (end < begin) {
    report.add("record-clock-backwards", where, "it ends before it begins");
  } else {
    report.require(
      elapsedNs === end - begin,
      "record-elapsed-differs",
      where,
      `it states ${elapsedNs} ns; between its instants lie ${end - begin} ns`,
    );
  }
  report.require(
    deliveredNs <= elapsedNs,
    "record-delivered-above-elapsed",
    where,
    `${deliveredNs} ns delivered within ${elapsedNs} ns`,
  );
}
