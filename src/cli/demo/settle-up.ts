import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Response } from "../../api/contract/contract.ts";
import type { BillVerification } from "../../billing/verify/verify-bill.ts";
import { formatMoneyMicros } from "../../unit/money.ts";
import type { Timed } from "./open-market.ts";
import type { Play } from "./story.ts";

export interface Settled {
  readonly billId: string;
  readonly totalMicros: string;
  readonly currency: string;
  readonly verified: boolean;
  readonly export: string;
}

/** End, wipe, bill and its verification. */
export async function settleUp(play: Play, leaseId: string, timed: Timed): Promise<Settled> {
  const { stage, teller } = play;
  const { verbs } = stage;
  teller.say("The client ends the lease.");
  const end = ["lease", "end", leaseId, "--as", "client"];
  teller.command(end);
  await verbs.do(...end);
  const billId = await timed("end", "the guest stops and is wiped", billed(play, leaseId));
  const freed = await verbs.do<Response<"setPartition">>(
    ...["partition", "show", "h1", "lend", "--as", "lender"],
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
  const result = await timed("verify", "verifying", verbs.do<BillVerification>(...verify));
  for (const { severity, message } of result.findings) {
    teller.detail(`${severity === "differs" ? "differs" : "cannot be proven"}: ${message}`);
  }
  const total = formatMoneyMicros(BigInt(bill.totalMicros));
  teller.detail(
    `${result.verified ? "verified" : "NOT verified"}: ${total} ${bill.tariff.currency}`,
  );
  const path = await leaveExport(play, billId);
  teller.say(`All that checks it elsewhere stays in ${path}.`);
  return {
    export: path,
    billId,
    totalMicros: bill.totalMicros,
    currency: bill.tariff.currency,
    verified: result.verified,
  };
}

/** The repository's own folder for what may be made again; git does not look at it. */
const EXPORT = ".cache/demo/export.json";

async function leaveExport({ stage: { verbs } }: Play, billId: string): Promise<string> {
  const path = fileURLToPath(new URL(`../../../${EXPORT}`, import.meta.url));
  await mkdir(dirname(path), { recursive: true });
  await verbs.do("usage", "export", "--bill", billId, "-o", path, "--as", "client");
  return EXPORT;
}

async function billed({ stage: { verbs } }: Play, leaseId: string): Promise<string> {
  for (;;) {
    const shown = await verbs.do<Response<"showLease">>("lease", "show", leaseId, "--as", "client");
    if (shown.lease.billId) return shown.lease.billId;
    await sleep(200);
  }
}
