import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import type { HashedRecord } from "../../../meter/record.ts";
import { canonicalJson, sha256Hex } from "../../../unit/canonical.ts";
import { nextMonthEdge } from "../../../unit/month.ts";
import type { Report } from "../report.ts";
import type { Evidence } from "./evidence.ts";
import { comparedBy } from "./use.ts";

/** A partition's meter, as the host's acts begin it, with its records up to the first gap. */
export interface Meter {
  readonly chainId: string;
  /** The acts that began it and its service. */
  readonly actSeq: number;
  readonly serviceSeq: number;
  readonly partition: { readonly id: string; readonly name: string };
  readonly mode: "dedicated" | "shared";
  readonly resource: "cpu" | "memory";
  readonly quantity: number;
  readonly serviceId: string;
  readonly codeId: string;
  readonly records: readonly HashedRecord[];
}

/** In the order in which they began; those of the provider's codes. */
export function readMeters(evidence: Evidence, hostId: string, report: Report): readonly Meter[] {
  const meters: Meter[] = [];
  for (const { record } of evidence.acts) {
    const { act } = record;
    if (act.kind === "code-accepted") {
      const known = evidence.codes.get(act.codeId);
      const isSame = known === undefined || sha256Hex(known.jws) === act.codeSha256;
      const message = "the host accepted another text under the code's id";
      report.require(isSame, "code-accepted-differs", `act ${record.seq}`, message);
    }
    if (act.kind !== "chain-begun") continue;
    const code = evidence.codes.get(act.codeId);
    if (!code) continue;
    const begun = evidence.acts.find(
      (one) =>
        one.record.act.kind === "service-begun" && one.record.act.serviceId === act.serviceId,
    )?.record;
    const service = begun?.act;
    if (begun === undefined || service?.kind !== "service-begun") {
      const message = "no act begins its service";
      report.add("service-missing", `act ${record.seq}`, message);
      continue;
    }
    const { mode, resource, quantity } = service;
    const meter = {
      ...{ chainId: act.chainId, actSeq: record.seq, serviceSeq: begun.seq },
      ...{ partition: act.partition, mode, resource, quantity },
      ...{ serviceId: act.serviceId, codeId: act.codeId },
      records: evidence.records.get(act.chainId) ?? [],
    };
    checkChain(meter, hostId, code, report);
    meters.push({ ...meter, records: upToGap(meter.records) });
  }
  for (const chainId of evidence.records.keys()) {
    const isKnown = meters.some((meter) => meter.chainId === chainId);
    report.require(isKnown, "chain-unknown", chainId, "no act begins the chain of these records");
  }
  return meters;
}

function upToGap(records: readonly HashedRecord[]): readonly HashedRecord[] {
  const gap = records.findIndex(({ record }, index) => record.seq !== index + 1);
  return gap < 0 ? records : records.slice(0, gap);
}

function checkChain(
  meter: Meter,
  hostId: string,
  { code, jws }: { readonly code: CapacityCode; readonly jws: string },
  report: Report,
): void {
  let before: HashedRecord | null = null;
  for (const hashed of meter.records) {
    const { record, hash } = hashed;
    const where = `record ${record.seq} of ${meter.chainId}`;
    const need = (holds: boolean, finding: Parameters<Report["add"]>[0], message: string) =>
      report.require(holds, finding, where, message);
    need(sha256Hex(canonicalJson(record)) === hash, "record-bad-hash", "it has another hash");
    need(record.hostId === hostId, "record-other-host", "it names another host");
    const isPlace = record.partitionId === meter.partition.id;
    need(isPlace, "record-other-partition", "it names another partition");
    need(record.cpuMode === meter.mode, "record-other-cpu-mode", "it is of another mode");
    checkSize(meter, record, before, need);
    if (record.seq === 1) {
      const isOrigin = record.previousHash === sha256Hex(jws);
      need(isOrigin, "record-not-from-code", "the chain does not begin with its code");
    } else if (before?.record.seq === record.seq - 1) {
      need(record.previousHash === before.hash, "record-broken-link", "it links to another");
      const isJoined = canonicalJson(before.record.to) === canonicalJson(record.from);
      need(isJoined, "record-not-joined", "it does not begin where the one before ended");
    }
    need(before?.record.final !== true, "record-after-final", "it follows the final record");
    checkTimes(record, need);
    checkCapacity(meter, record, code, need);
    before = hashed;
  }
}

type Need = (holds: boolean, finding: Parameters<Report["add"]>[0], message: string) => void;
type UsageRecord = HashedRecord["record"];

function checkSize(
  { mode, resource, quantity }: Meter,
  { size }: UsageRecord,
  before: HashedRecord | null,
  need: Need,
): void {
  const own = resource === "cpu" ? size.cpuMilli : size.memoryBytes;
  const isService = mode === "shared" || own === quantity;
  const isKept = before === null || canonicalJson(before.record.size) === canonicalJson(size);
  need(isService && isKept, "record-other-size", "it states another size");
}

function checkTimes({ from, to, elapsedNs, deliveredNs }: UsageRecord, need: Need): void {
  if (from.bootId === to.bootId) {
    const lasted = BigInt(to.monotonicNs) - BigInt(from.monotonicNs);
    need(lasted === BigInt(elapsedNs), "record-elapsed-differs", "it lasted otherwise");
  } else {
    need(deliveredNs === "0", "record-delivered-across-boots", "delivered across a restart");
  }
  const isWithin = BigInt(deliveredNs) <= BigInt(elapsedNs);
  need(isWithin, "record-delivered-above-elapsed", "delivered for longer than it lasted");
}

function checkCapacity(meter: Meter, record: UsageRecord, code: CapacityCode, need: Need): void {
  const { capacity } = record;
  need(capacity !== undefined, "record-without-capacity", "it says nothing of capacity");
  if (!capacity) return;
  const isService =
    capacity.serviceId === meter.serviceId &&
    capacity.mode === meter.mode &&
    capacity.resource === meter.resource;
  need(isService, "record-other-service", "it names another service than its chain's");
  const start = Date.parse(capacity.period.start);
  const end = Date.parse(capacity.period.end);
  const isPeriod = isPeriodOf(code, start, end);
  const lies = Date.parse(record.from.at) >= start && Date.parse(record.from.at) < end;
  const ends = Date.parse(record.to.at) <= end;
  need(isPeriod && lies && ends, "record-period-differs", "it does not lie in its billing period");
  const { threshold } = capacity;
  const isThreshold =
    meter.mode === "dedicated"
      ? threshold === null
      : threshold !== null && comparedBy(threshold) === comparedBy(code.threshold);
  need(isThreshold, "record-threshold-differs", "its threshold is not of its code's kind");
  const drawn = capacity.debits.reduce((sum, one) => sum + BigInt(one.quantity), 0n);
  const isSum = drawn + BigInt(capacity.overdraft) === BigInt(capacity.meteredQuantity);
  need(isSum, "record-debits-differ", "its debits and overdraft are not what it metered");
}

function isPeriodOf({ billingPeriod }: CapacityCode, start: number, end: number): boolean {
  if (billingPeriod.kind === "fixed") {
    const lengthMs = billingPeriod.seconds * 1000;
    const offset = (start - Date.parse(billingPeriod.anchor)) % lengthMs;
    return offset === 0 && end - start === lengthMs;
  }
  const { timeZone } = billingPeriod;
  const begins = nextMonthEdge(new Date(start - 1), timeZone).getTime() === start;
  return begins && nextMonthEdge(new Date(start), timeZone).getTime() === end;
}
