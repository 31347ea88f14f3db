import type { CapacityBill } from "../../../billing/capacity/bill.ts";
import { formatMoneyMicros } from "../../../unit/money.ts";
import type { SharedFacts, SharedLine } from "../facts.ts";
import type { Play } from "../story.ts";
import { coreSeconds } from "./core-seconds.ts";

/** A line of a bill is of all use in its period so far, so the last of a period counts. */
export function sharedLines(bills: readonly CapacityBill[]): readonly SharedLine[] {
  const lines = new Map<string, SharedLine>();
  for (const { partition, period, threshold, used, excess, amountMicros } of bills.flatMap(
    (bill) => bill.lines,
  )) {
    if (threshold?.kind !== "allowance") continue;
    const key = `${partition.name} ${period.start}`;
    const before = BigInt(lines.get(key)?.amountMicros ?? 0);
    lines.set(key, {
      partition: partition.name,
      periodStart: period.start,
      usedNs: coreNs(used),
      thresholdNs: coreNs(threshold.milliCoreNs),
      excessNs: coreNs(excess ?? "0"),
      amountMicros: (before + BigInt(amountMicros)).toString(),
    });
  }
  return [...lines.values()].toSorted(
    (a, b) => a.periodStart.localeCompare(b.periodStart) || a.partition.localeCompare(b.partition),
  );
}

export function tellLines({ teller }: Play, { lines, kernelNs }: SharedFacts): void {
  for (const { partition, usedNs, thresholdNs, excessNs, amountMicros } of lines) {
    const amount = `${formatMoneyMicros(BigInt(amountMicros))} EUR`;
    teller.detail(
      excessNs === "0"
        ? `${partition}: ${coreSeconds(BigInt(usedNs))}, of ${coreSeconds(BigInt(thresholdNs))} without charge: ${amount}`
        : `${partition}: ${usedNs} ns used − ${thresholdNs} ns without charge = ${excessNs} ns: ${amount}`,
    );
  }
  for (const [partition, { atLeast, atMost }] of Object.entries(kernelNs)) {
    teller.detail(`the kernel's own counter for ${partition}: from ${atLeast} to ${atMost} ns`);
  }
}

/** To the nanosecond: what is above is charged and nothing else, and the kernel counted as much. */
export function fits(
  { lines, kernelNs }: SharedFacts,
  names: { readonly free: string; readonly paying: string },
): boolean {
  const areExact = lines.every(({ usedNs, thresholdNs, excessNs }) => {
    const above = BigInt(usedNs) - BigInt(thresholdNs);
    return BigInt(excessNs) === (above > 0n ? above : 0n);
  });
  const areCounted = Object.entries(kernelNs).every(([partition, { atLeast, atMost }]) => {
    const own = lines.filter((line) => line.partition === partition);
    const used = own.reduce((sum, { usedNs }) => sum + BigInt(usedNs), 0n);
    return BigInt(atLeast) <= used && used <= BigInt(atMost);
  });
  const costs = (name: string) =>
    lines.some((line) => line.partition === name && line.amountMicros !== "0");
  return areExact && areCounted && !costs(names.free) && costs(names.paying);
}

/** Of milliCore-nanoseconds; cpu time is counted in whole nanoseconds, so nothing is lost. */
function coreNs(milliCoreNs: string): string {
  return (BigInt(milliCoreNs) / 1000n).toString();
}
