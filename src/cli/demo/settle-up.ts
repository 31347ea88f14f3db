import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "../../api/contract/contract.ts";
import type { BillVerification } from "../../billing/verify/verify-bill.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import type { Lease } from "./borrow.ts";
import type { Play, Timed } from "./story.ts";

export interface Settled {
  readonly billId: string;
  readonly totalMicros: string;
  readonly currency: string;
  readonly verified: boolean;
}

/** End, wipe, bill and its verification. */
export async function settleUp(play: Play, lease: Lease, timed: Timed): Promise<Settled> {
  const { stage, teller } = play;
  const { verbs } = stage;
  const { leaseId, image, partition } = lease;
  teller.say(`The client ends the lease of the ${image.name}.`);
  const end = ["lease", "end", leaseId, "--as", "client"];
  teller.command(end);
  await verbs.do(...end);
  const billId = await timed(
    `${image.name}End`,
    "the guest stops and is wiped",
    billed(play, leaseId),
  );
  const freed = await verbs.do<Response<"setPartition">>(
    ...["partition", "show", "h1", partition.name, "--as", "lender"],
  );
  teller.say(
    freed.inUse === null
      ? "The host has signed its wipe receipt: the partition is wiped and free."
      : "The partition is STILL in use.",
  );

  teller.say("The bill, line by line:");
  const show = ["bill", "show", billId, "--as", "client"];
  teller.command(show);
  await verbs.attached(...show);
  const { bill } = await verbs.do<Response<"showBill">>(...show);

  teller.say("Verified from the signed records, by code that shares nothing with the rating:");
  const verify = ["bill", "verify", billId, "--as", "client"];
  teller.command(verify);
  const result = await timed(
    `${image.name}Verify`,
    "verifying",
    verbs.do<BillVerification>(...verify),
  );
  for (const { severity, message } of result.findings) {
    teller.detail(`${severity === "differs" ? "differs" : "cannot be proven"}: ${message}`);
  }
  if (bill.kind === "capacity") throw new Error(`${bill.billId} is not a lease's bill`);
  const total = formatMoneyMicros(BigInt(bill.totalMicros));
  teller.detail(
    `${result.verified ? "verified" : "NOT verified"}: ${total} ${bill.tariff.currency}`,
  );
  return {
    billId,
    totalMicros: bill.totalMicros,
    currency: bill.tariff.currency,
    verified: result.verified,
  };
}

async function billed({ stage: { verbs } }: Play, leaseId: string): Promise<string> {
  for (;;) {
    const shown = await verbs.do<Response<"showLease">>("lease", "show", leaseId, "--as", "client");
    if (shown.lease.billId) return shown.lease.billId;
    await sleep(200);
  }
}
