import type { HashedRecord } from "../../meter/record.ts";
import { hostRemovalSchema, type WipeReceipt, wipeReceiptSchema } from "../../partition/signed.ts";
import { verify } from "../../signature/envelope.ts";
import { type KeyRing, keyRing, type PublicJwk } from "../../signature/key.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import type { LeaseExport } from "../export.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

const WHERE = "wipeReceiptJws";

/** What the receipt says, before it is checked against the rest; null when it does not count. */
export function readWipeReceipt(
  { leaseId, wipeReceiptJws: jws }: LeaseExport,
  agentKey: PublicJwk | null,
): WipeReceipt | null {
  if (jws === null || agentKey === null) return null;
  const keys = keyRing([agentKey]);
  const receipt = verify({ jws, typ: "sublet-wipe-receipt", keys, schema: wipeReceiptSchema });
  return receipt.ok && receipt.payload.leaseId === leaseId ? receipt.payload : null;
}

/** The host's word that nothing is left, and that the chain ended where the bill says. */
export function checkWipeReceipt(
  exported: LeaseExport,
  { agentKey, serverKeys }: { agentKey: PublicJwk | null; serverKeys: KeyRing },
  granted: Granted,
  records: readonly HashedRecord[],
  report: Report,
): void {
  const { leaseId, wipeReceiptJws: jws } = exported;
  const { first } = granted;
  if (exported.removalJws !== undefined) checkRemoval(exported, serverKeys, granted, report);
  if (jws === null) {
    const hasEnded = exported.bills.some(({ bill }) => bill.kind !== "interim");
    if (exported.removalJws !== undefined || !hasEnded) return;
    report.add("wipe-receipt-missing", WHERE, "that the partition was wiped is not shown");
    return;
  }
  const receipt = report.open("wipe-receipt", WHERE, {
    jws,
    typ: "sublet-wipe-receipt",
    keys: keyRing(agentKey === null ? [] : [agentKey]),
    schema: wipeReceiptSchema,
  });
  if (receipt === null) return;
  const last = records.at(-1);
  const compare = [
    ["wipe-receipt-other-lease", "lease", receipt.leaseId, leaseId],
    ["wipe-receipt-other-host", "host", receipt.hostId, first.aud],
    ["wipe-receipt-other-partition", "partition", receipt.partitionId, first.partition.partitionId],
  ] as const;
  for (const [code, noun, stated, expected] of compare) {
    report.require(stated === expected, code, WHERE, `its ${noun} is ${stated}, not ${expected}`);
  }
  // A lease that ended before its host had read the grant was never run: no chain hangs on it.
  const neverRun = receipt.grantJti === null && receipt.finalSeq === 0;
  const origin = neverRun ? sha256Hex(leaseId) : granted.origin;
  checkLast(receipt, { last: neverRun ? undefined : last, origin }, isWhole(exported), report);
  report.require(
    neverRun || (receipt.grantJti !== null && granted.jtis.has(receipt.grantJti)),
    "wipe-receipt-other-grant",
    WHERE,
    "it names a grant that is not in the export",
  );
}

/** Something is billed after which nothing is to follow. */
function isWhole({ bills }: LeaseExport): boolean {
  const last = bills.at(-1)?.bill;
  return last !== undefined && last.kind !== "interim" && last.incomplete !== true;
}

/** The chain ended where the bills say; one that is not whole, there or behind it. */
function checkLast(
  receipt: WipeReceipt,
  { last, origin }: { readonly last: HashedRecord | undefined; readonly origin: string },
  isWhole: boolean,
  report: Report,
): void {
  const lastSeq = last?.record.seq ?? 0;
  report.require(
    isWhole ? receipt.finalSeq === lastSeq : receipt.finalSeq >= lastSeq,
    "wipe-receipt-seq-differs",
    WHERE,
    `its last record is ${receipt.finalSeq}; the export has them up to ${lastSeq}`,
  );
  report.require(
    receipt.finalSeq > lastSeq || receipt.finalHash === (last?.hash ?? origin),
    "wipe-receipt-hash-differs",
    WHERE,
    "it names another last record",
  );
}

/** Nobody could show the wipe: the lender declared the host dead, and the server states that. */
function checkRemoval(
  { leaseId, bills, removalJws }: LeaseExport,
  serverKeys: KeyRing,
  { first }: Granted,
  report: Report,
): void {
  const where = "removalJws";
  const removal = report.open("removal", where, {
    jws: removalJws ?? "",
    typ: "sublet-host-removal",
    keys: serverKeys,
    schema: hostRemovalSchema,
  });
  if (removal === null) return;
  const isOfThis =
    removal.iss === first.iss &&
    removal.leaseId === leaseId &&
    removal.hostId === first.aud &&
    removal.partitionId === first.partition.partitionId &&
    bills.every(({ bill }) => removal.declaredBy === bill.lender.id);
  report.require(isOfThis, "removal-differs", where, "it is for another lease, host or lender");
  report.add(
    "host-removed",
    where,
    "the lender declared the host dead: that the partition was wiped nobody can prove; it is never lent again",
  );
}
