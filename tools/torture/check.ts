import type { Response } from "../../src/api/contract/contract.ts";
import type { BillVerification } from "../../src/billing/verify/verify-bill.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { Market } from "../../test/guest/market.ts";
import { processesIn } from "../../test/guest/processes.ts";
import { settled } from "./borrower.ts";

const SETTLE_MS_MAX = 120_000;
const DEPOSITED_MICROS = 10_000_000n;

/** What must hold when everybody has come to rest. Gives a sentence for each thing that does not. */
export async function faultsOf(market: Market, leaseIds: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  let billedMicros = 0n;
  const periods: { start: number; end: number; leaseId: string }[] = [];
  for (const leaseId of leaseIds) {
    if (!(await settled(market, leaseId, SETTLE_MS_MAX))) {
      faults.push(`${leaseId} is stuck: not ended and billed`);
      continue;
    }
    const { lease, events } = await market.verbs.do<Response<"showLease">>(
      ...["lease", "show", leaseId, "--as", "client"],
    );
    const ended = events.filter((event) => event.kind === "ended");
    if (ended.length !== 1 || !ended[0]?.reason) {
      faults.push(`${leaseId} has ${ended.length} ends, or one without a reason`);
    }
    if (lease.period) {
      const { start, end } = lease.period;
      periods.push({ start: Date.parse(start), end: Date.parse(end), leaseId });
    }
    if (lease.billId) billedMicros += await billOf(market, lease.billId, lease.quote, faults);
  }
  faults.push(...overlaps(periods));
  faults.push(...(await leftOvers(market)));
  const account = await market.verbs.do<Response<"showAccount">>(
    ...["account", "show", "--as", "client"],
  );
  if (account.holdsMicros !== "0") faults.push(`${account.holdsMicros} micros are still held`);
  if (BigInt(account.balanceMicros) !== DEPOSITED_MICROS - billedMicros) {
    faults.push(`the balance is ${account.balanceMicros} and not what deposits less bills make`);
  }
  return faults;
}

async function billOf(
  { verbs }: Market,
  billId: string,
  quote: { totalMicros: string },
  faults: string[],
): Promise<bigint> {
  const verified = await verbs.ask<BillVerification>("bill", "verify", billId, "--as", "client");
  if (!verified.ok) faults.push(`${billId} cannot be verified: ${verified.message}`);
  else if (!verified.value.verified) {
    const differs = verified.value.findings.filter(({ severity }) => severity === "differs");
    const why = differs.map(({ code, message, where }) => `${code} at ${where}: ${message}`);
    faults.push(`${billId} does not verify: ${why.join("; ")}`);
  }
  const { bill } = await verbs.do<Response<"showBill">>("bill", "show", billId, "--as", "client");
  const totalMicros = BigInt(bill.totalMicros);
  if (totalMicros > BigInt(quote.totalMicros)) faults.push(`${billId} is above its quote`);
  return totalMicros;
}

function overlaps(periods: { start: number; end: number; leaseId: string }[]): string[] {
  const sorted = periods.toSorted((a, b) => a.start - b.start);
  return sorted.flatMap((next, index) => {
    const before = sorted[index - 1];
    return before && before.end > next.start
      ? [`${before.leaseId} and ${next.leaseId} held the partition at once`]
      : [];
  });
}

async function leftOvers(market: Market): Promise<string[]> {
  const faults: string[] = [];
  const guests = await createQemuDriver({
    folder: market.guestsFolder,
    log: () => undefined,
  }).list();
  if (guests.length > 0) faults.push(`files or processes of ${guests.join(", ")} are left`);
  const qemu = processesIn(market.folder).filter(({ line }) => line.startsWith("qemu-system-"));
  if (qemu.length > 0) faults.push(`${qemu.length} QEMU processes are left`);
  const { partitions } = await market.verbs.do<Response<"listPartitions">>(
    ...["partition", "list", "--as", "lender"],
  );
  for (const { name, inUse } of partitions) {
    if (inUse) faults.push(`partition ${name} is still in use by ${inUse.leaseId}`);
  }
  return faults;
}
