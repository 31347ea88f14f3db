import { CHARGED_RESOURCES, type Tariff } from "../market/tariff.ts";
import type { HashedRecord } from "../meter/record.ts";
import { amountMicros, priceMicrosPerHour, UNIT_OF } from "../rating/amount.ts";
import { chargedQuantity, rateRecords, ruleOf } from "../rating/rate.ts";
import { divideHalfEven } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { BillDocument, BillLine } from "./bill.ts";

type Identity = Pick<
  BillDocument,
  "billId" | "leaseId" | "client" | "lender" | "host" | "partition"
>;

export interface BillInput extends Identity {
  readonly tariff: Tariff;
  readonly cpuMode: CpuMode;
  /** The lease's chain from its begin, in order, already checked by `checkChain`. */
  readonly records: readonly HashedRecord[];
  /** The length of the granted period, extensions included: no more time than this is charged. */
  readonly grantedNs: bigint;
  /** The begin of the granted period. */
  readonly grantedFrom: string;
  /** Of the host's wipe receipt. */
  readonly wipedAt: string | null;
  /** Why some of the time was not delivered. */
  readonly reasons: readonly string[];
  readonly closedAt: Date;
  /** The final record is not among them. */
  readonly incomplete?: boolean;
}

/**
 * The bill of a lease: a line for cpu, memory and disk each, even at zero; one for the flat part
 * when it has a price; one, free of charge, for time that is not charged: metered and not delivered,
 * or granted and not yet there when the lease's period began.
 */
export function makeBill(input: BillInput): BillDocument {
  const { tariff, cpuMode, records, grantedNs } = input;
  assertConsecutive(records);
  const charges = rateRecords(records, { grantedNs });
  const elapsedNs = sum(records.map(({ record }) => BigInt(record.elapsedNs)));
  const chargedNs = chargedQuantity(charges, "time");

  const lines: BillLine[] = [];
  for (const resource of CHARGED_RESOURCES) {
    const price = priceMicrosPerHour(resource, tariff, cpuMode);
    if (resource === "time" && price === 0n) continue;
    const quantity = chargedQuantity(charges, resource);
    lines.push({
      resource,
      rule: ruleOf(resource, cpuMode),
      quantity: quantity.toString(),
      unit: UNIT_OF[resource],
      priceMicrosPerHour: price.toString(),
      amountMicros: amountMicros(resource, quantity, price).toString(),
    });
  }
  const notDeliveredNs = elapsedNs - chargedNs + lateNs(input);
  if (notDeliveredNs > 0n) lines.push(notDelivered(notDeliveredNs, input.reasons));

  const sumMicros = sum(lines.map((line) => BigInt(line.amountMicros)));
  const totalMicros = roundToMinorUnit(sumMicros, tariff);
  const first = records[0];
  const last = records.at(-1);
  return {
    version: 1,
    billId: input.billId,
    leaseId: input.leaseId,
    client: input.client,
    lender: input.lender,
    host: input.host,
    partition: input.partition,
    tariff,
    period: first && last ? { start: first.record.from.at, end: last.record.to.at } : null,
    closedAt: input.closedAt.toISOString(),
    lines,
    sumMicros: sumMicros.toString(),
    totalMicros: totalMicros.toString(),
    remainderMicros: (sumMicros - totalMicros).toString(),
    evidence: { finalSeq: last?.record.seq ?? 0, finalHash: last?.hash ?? null },
    elapsedNs: elapsedNs.toString(),
    deliveredNs: sum(records.map(({ record }) => BigInt(record.deliveredNs))).toString(),
    ...(input.incomplete ? { incomplete: true, estimated: false } : {}),
  };
}

/**
 * From the begin of the granted period until the first record, which is the guest's first answer;
 * without any, until the host had wiped what there was. Never more than was granted.
 */
function lateNs({ records, grantedFrom, grantedNs, wipedAt }: BillInput): bigint {
  const until = records[0]?.record.from.at ?? wipedAt ?? grantedFrom;
  const ns = BigInt(Date.parse(until) - Date.parse(grantedFrom)) * 1_000_000n;
  if (ns <= 0n) return 0n;
  return ns < grantedNs ? ns : grantedNs;
}

function notDelivered(quantityNs: bigint, reasons: readonly string[]): BillLine {
  return {
    resource: "time",
    rule: "not-delivered",
    quantity: quantityNs.toString(),
    unit: UNIT_OF.time,
    priceMicrosPerHour: "0",
    amountMicros: "0",
    ...(reasons.length > 0 ? { reasons: [...reasons] } : {}),
  };
}

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
