import type { HashedAct } from "../../enablement/capacity/act.ts";
import type { CapacityTariff } from "../../enablement/capacity/terms.ts";
import { amountMicros, UNIT_OF } from "../../rating/amount.ts";
import {
  type Corrected,
  inIncrements,
  type PeriodUse,
  type RatedChain,
  rateUse,
} from "../../rating/capacity.ts";
import { holdsOf } from "../../rating/holds.ts";
import type { DrawnCode } from "../../rating/turns.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { CodeId } from "../../unit/id.ts";
import { divideHalfEven, partMicros } from "../../unit/money.ts";
import type { CapacityBill, CapacityLine, CapacityRule } from "./bill.ts";

type Identity = Pick<
  CapacityBill,
  "billId" | "client" | "lender" | "host" | "act" | "period" | "currency" | "minorUnitDigits"
>;

export interface CapacityBillInput extends Identity {
  /** This provider's bills of this host before, by number. */
  readonly earlier: readonly CapacityBill[];
  /** The last of them, when this one sets it right. */
  readonly corrects?: CapacityBill | undefined;
  readonly chains: readonly RatedChain[];
  /** Chains that this time to bill names: they have a line, even at zero. */
  readonly named: ReadonlySet<string>;
  readonly tariffOf: (codeId: string) => CapacityTariff;
  /** The provider's codes for this host. */
  readonly codes: readonly DrawnCode[];
  /** Acts that lend codes and reserve of them, in order; those behind the last billed are left out. */
  readonly holding: readonly HashedAct[];
  readonly missing: CapacityBill["evidence"]["missing"];
  readonly missingActs: CapacityBill["evidence"]["missingActs"];
  readonly closedAt: Date;
}

/**
 * The bill of one time to bill. What a period's use costs in all, less what earlier bills of it
 * charged: so records that come late are charged by the next bill, as a correction, and none twice.
 * Throws UseMismatch when something is drawn on that is none of the provider's codes.
 */
export function makeCapacityBill(input: CapacityBillInput): CapacityBill {
  const { earlier, chains, period, missing, missingActs } = input;
  const last = Math.max(input.act.seq, ...earlier.map(({ act }) => act.seq));
  const holds = holdsOf(input.holding.filter(({ record }) => record.seq <= last));
  const { uses, corrected } = rateUse(chains, input.codes, holds);
  const lines = uses.flatMap((use) => linesOf(use, input));
  const sumMicros = sum(lines.map((line) => BigInt(line.amountMicros)));
  const carriedMicros = sum(earlier.map((bill) => BigInt(bill.remainderMicros)));
  const minorUnit = 10n ** BigInt(6 - input.minorUnitDigits);
  const totalMicros = divideHalfEven(carriedMicros + sumMicros, minorUnit) * minorUnit;
  const codeIds = [...new Set(lines.map(({ codeId }) => codeId))];
  const tariffs = codeIds.map((codeId) => ({ codeId, tariff: input.tariffOf(codeId) }));
  const fees = tariffs.map(({ codeId, tariff }) => {
    const own = lines.filter((line) => line.codeId === codeId);
    return partMicros(sum(own.map((line) => BigInt(line.amountMicros))), tariff.operatorFeePpm);
  });
  const { billId, client, lender, host, act, currency, minorUnitDigits } = input;
  const isIncomplete = missing.length > 0 || missingActs.length > 0;
  return {
    ...{ version: 3, kind: "capacity", billId, number: earlier.length + 1 },
    previous: previousOf(earlier),
    ...(input.corrects ? { corrects: nameOf(input.corrects) } : {}),
    ...{ client, lender, host, act, period, used: usedOf(chains, period) },
    ...{ currency, minorUnitDigits, tariffs, closedAt: input.closedAt.toISOString(), lines },
    ...(corrected.length > 0 ? { corrected: corrected.map(correctedText) } : {}),
    sumMicros: sumMicros.toString(),
    carriedMicros: carriedMicros.toString(),
    totalMicros: totalMicros.toString(),
    remainderMicros: (sumMicros - totalMicros).toString(),
    feeMicros: sum(fees).toString(),
    evidence: {
      chains: chains.map(({ chainId, records }) => ({
        chainId: chainId as `chain_${string}`,
        seq: records.at(-1)?.record.seq ?? 0,
        hash: records.at(-1)?.hash ?? null,
      })),
      drawn: chains.flatMap(({ chainId, known }) =>
        known.length > 0 ? [{ chainId: chainId as `chain_${string}`, seq: known.length }] : [],
      ),
      missing: [...missing],
      missingActs: [...missingActs],
    },
    ...(isIncomplete ? { incomplete: true } : {}),
  };
}

function correctedText({ chainId, seq, metered, debits, overdraft }: Corrected) {
  return {
    ...{ chainId: chainId as `chain_${string}`, seq, meteredQuantity: metered.toString() },
    debits: debits.map(({ codeId, quantity }) => ({
      codeId: codeId as CodeId,
      quantity: quantity.toString(),
    })),
    overdraft: overdraft.toString(),
  };
}

function linesOf(use: PeriodUse, input: CapacityBillInput): CapacityLine[] {
  const isOwn = use.period.start === input.period.start && use.period.end === input.period.end;
  const isNamed = isOwn && use.records.some(({ chainId }) => input.named.has(chainId));
  const lines = use.parts.map((part) => lineOf(use, part, input));
  return lines
    .filter(({ line, isChanged }) => isChanged || (isNamed && isBase(line)))
    .map(({ line }) => line);
}

/** What is enabled stands on the bill of its time to bill, even at zero. */
function isBase({ rule }: CapacityLine): boolean {
  return rule !== "overdraft" && rule !== "unreturned";
}

function lineOf(
  use: PeriodUse,
  { rule, codeId, quantity }: PeriodUse["parts"][number],
  input: CapacityBillInput,
): { readonly line: CapacityLine; readonly isChanged: boolean } {
  const { partition, resource, mode, period, threshold } = use;
  const tariff = input.tariffOf(codeId);
  const price = priceOf(rule, tariff);
  const billed = inIncrements(quantity, tariff);
  const before = earlierLines(use, { rule, codeId }, input.earlier);
  const chargedMicros = sum(before.map(({ line }) => BigInt(line.amountMicros)));
  const amount = amountMicros(resource, billed, BigInt(price)) - chargedMicros;
  const last = before.at(-1);
  const isOwn = period.start === input.period.start && period.end === input.period.end;
  const earlierBill = isOwn ? undefined : billedBefore(use, input.earlier);
  const line: CapacityLine = {
    ...{ partition: partition as CapacityLine["partition"], resource, mode, period: { ...period } },
    ...{ rule, codeId: codeId as CodeId, threshold, used: use.used.toString() },
    excess: use.excess === null ? null : use.excess.toString(),
    quantity: quantity.toString(),
    unit: UNIT_OF[resource],
    ...{ increment: tariff.increment, rounding: tariff.rounding },
    billedQuantity: billed.toString(),
    priceMicrosPerHour: price,
    chargedMicros: chargedMicros.toString(),
    amountMicros: amount.toString(),
    ...(earlierBill ? { corrects: earlierBill } : {}),
    records: use.records.map((one) => ({ ...one, chainId: one.chainId as `chain_${string}` })),
  };
  const isChanged = last ? last.line.quantity !== line.quantity : quantity > 0n;
  return { line, isChanged };
}

export function priceOf(rule: CapacityRule, tariff: CapacityTariff): string {
  if (rule === "overdraft") return tariff.overdraftPriceMicrosPerHour;
  if (rule === "unreturned") return tariff.unreturnedPriceMicrosPerHour;
  return tariff.priceMicrosPerHour;
}

/** What earlier bills said of the same, by their number. */
function earlierLines(
  use: PeriodUse,
  { rule, codeId }: { readonly rule: string; readonly codeId: string },
  earlier: readonly CapacityBill[],
) {
  return earlier.flatMap((bill) =>
    bill.lines
      .filter((line) => isOfUse(line, use) && line.rule === rule && line.codeId === codeId)
      .map((line) => ({ bill, line })),
  );
}

/** The last bill that was about this period of this partition. */
function billedBefore(use: PeriodUse, earlier: readonly CapacityBill[]) {
  const bill = earlier.findLast(({ lines }) => lines.some((line) => isOfUse(line, use)));
  return bill && nameOf(bill);
}

function nameOf({ billId, number }: CapacityBill) {
  return { billId, number };
}

function isOfUse(line: CapacityLine, use: PeriodUse): boolean {
  return (
    line.partition.id === use.partition.id &&
    line.resource === use.resource &&
    line.mode === use.mode &&
    line.period.start === use.period.start &&
    line.period.end === use.period.end &&
    canonicalJson(line.threshold) === canonicalJson(use.threshold)
  );
}

function previousOf(earlier: readonly CapacityBill[]): CapacityBill["previous"] {
  const previous = earlier.at(-1);
  if (!previous) return null;
  return { billId: previous.billId, documentSha256: sha256Hex(canonicalJson(previous)) };
}

function usedOf(
  chains: readonly RatedChain[],
  period: CapacityBill["period"],
): CapacityBill["used"] {
  const within = chains
    .flatMap(({ records }) => records)
    .filter(({ record }) => record.capacity?.period.start === period.start)
    .map(({ record }) => record);
  const starts = within.map(({ from }) => Date.parse(from.at));
  const ends = within.map(({ to }) => Date.parse(to.at));
  if (starts.length === 0) return null;
  const instant = (ms: number) => new Date(ms).toISOString();
  return {
    start: instant(starts.reduce((a, b) => Math.min(a, b))),
    end: instant(ends.reduce((a, b) => Math.max(a, b))),
  };
}

function sum(parts: readonly bigint[]): bigint {
  return parts.reduce((total, part) => total + part, 0n);
}
