import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "../../../api/contract/contract.ts";
import type { CapacityBill } from "../../../billing/capacity/bill.ts";
import type { BillVerification } from "../../../billing/verify/verify-bill.ts";
import type { HashedAct } from "../../../enablement/capacity/act.ts";
import { type BillingPeriod, edgesBetween } from "../../../enablement/capacity/billing-period.ts";
import { formatMoneyMicros } from "../../../unit/money.ts";
import type { Play, Timed } from "../story.ts";
import { OWNER, PERIOD_SECONDS, type StandbyHost, VENDOR } from "./host.ts";

/** The vendor's periods, as `sublet capacity terms` counts them. */
export const PERIOD = {
  kind: "fixed",
  seconds: PERIOD_SECONDS,
  anchor: "1970-01-01T00:00:00.000Z",
} as const satisfies BillingPeriod;

export interface Billed {
  readonly bills: readonly CapacityBill[];
  readonly verified: boolean;
}

/** When something was in service. */
export interface InService {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Nothing more is said to be billed after this. */
const SAID_MS_MAX = 5_000;
/** Records and acts go each second, and so are bills closed. */
const CLOSED_MS_MAX = 60_000;

/** The bills of what was in service then: told, and recomputed from the signed records. */
export async function settle(
  play: Play,
  host: StandbyHost,
  timed: Timed,
  name: string,
  service: InService,
): Promise<Billed> {
  const { stage, teller, only } = play;
  const bills = await timed(`${name}Bill`, "the vendor bills", closedBills(play, host, service));
  if (bills.length > 1) {
    teller.say(`A period ended meanwhile, which is a time to bill as well: ${bills.length} bills.`);
  }
  const list = ["bill", "list", ...VENDOR];
  teller.command(list);
  await stage.verbs.attached(...list);
  let verified = bills.length > 0;
  for (const { billId, totalMicros, currency } of bills) {
    const show = ["bill", "show", billId, ...OWNER];
    teller.command(show);
    await stage.verbs.attached(...show);
    const verify = ["bill", "verify", billId, ...OWNER];
    teller.command(verify);
    const result = await stage.verbs.do<BillVerification>(...verify);
    for (const { severity, message } of result.findings) {
      // The same of every bill, and told of those of leases.
      if (severity === "differs") teller.detail(`differs: ${message}`);
      else if (only !== undefined) teller.detail(`cannot be proven: ${message}`);
    }
    const word = result.verified ? "verified" : "NOT verified";
    teller.detail(`${word}: ${formatMoneyMicros(BigInt(totalMicros))} ${currency}`);
    verified &&= result.verified;
  }
  return { bills, verified };
}

/** Each time to bill that the host has said since then makes one; the vendor's order is kept. */
async function closedBills(
  { stage: { verbs } }: Play,
  host: StandbyHost,
  { fromMs, toMs }: InService,
): Promise<readonly CapacityBill[]> {
  // The return is one, and so is every edge of a period that was passed.
  const expected = 1 + edgesBetween(PERIOD, fromMs, toMs).length;
  const since = performance.now();
  for (;;) {
    const { acts } = await host.ask<{ acts: readonly HashedAct[] }>("capacity", "history");
    const said = acts.flatMap(({ record }) =>
      record.act.kind === "time-to-bill" && Date.parse(record.at) >= fromMs ? record.seq : [],
    );
    const { bills } = await verbs.do<Response<"listBills">>("bill", "list", ...VENDOR);
    const shown: CapacityBill[] = [];
    for (const { billId } of bills) {
      const { bill } = await verbs.do<Response<"showBill">>("bill", "show", billId, ...VENDOR);
      if (bill.kind === "capacity" && said.includes(bill.act.seq)) shown.push(bill);
    }
    const isAllSaid = said.length >= expected || performance.now() - since > SAID_MS_MAX;
    if (isAllSaid && shown.length === said.length) {
      return shown.toSorted((a, b) => a.number - b.number);
    }
    if (performance.now() - since > CLOSED_MS_MAX)
      throw new Error("the vendor's bill did not come");
    await sleep(200);
  }
}
