import type { HashedRecord } from "../../meter/record.ts";
import { wipeReceiptSchema } from "../../partition/signed.ts";
import { verify } from "../../signature/envelope.ts";
import { keyRing, type PublicJwk } from "../../signature/key.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import type { BillExport } from "../bill.ts";
import type { Granted } from "./grants.ts";
import type { Report } from "./report.ts";

const WHERE = "wipeReceiptJws";

/** The host has signed that there was no use at all: then there are no records to show. */
export function isUnused({ bill, wipeReceiptJws: jws }: BillExport, agentKey: PublicJwk | null) {
  if (jws === null || agentKey === null) return false;
  const keys = keyRing([agentKey]);
  const opened = verify({ jws, typ: "sublet-wipe-receipt", keys, schema: wipeReceiptSchema });
  return opened.ok && opened.payload.leaseId === bill.leaseId && opened.payload.finalSeq === 0;
}

/** The host's word that nothing is left, and that the chain ended where the bill says. */
export function checkWipeReceipt(
  exported: BillExport,
  agentKey: PublicJwk | null,
  granted: Granted,
  records: readonly HashedRecord[],
  report: Report,
): void {
  const { bill, wipeReceiptJws: jws } = exported;
  if (jws === null) {
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
    ["wipe-receipt-other-lease", "lease", receipt.leaseId, bill.leaseId],
    ["wipe-receipt-other-host", "host", receipt.hostId, bill.host.id],
    ["wipe-receipt-other-partition", "partition", receipt.partitionId, bill.partition.id],
    ["wipe-receipt-seq-differs", "last record", receipt.finalSeq, last?.record.seq ?? 0],
  ] as const;
  for (const [code, noun, stated, expected] of compare) {
    report.require(stated === expected, code, WHERE, `its ${noun} is ${stated}, not ${expected}`);
  }
  // A lease that ended before its host had read the grant was never run: no chain hangs on it.
  const neverRun = receipt.grantJti === null && receipt.finalSeq === 0;
  report.require(
    receipt.finalHash === (neverRun ? sha256Hex(bill.leaseId) : (last?.hash ?? granted.origin)),
    "wipe-receipt-hash-differs",
    WHERE,
    "it names another last record",
  );
  report.require(
    neverRun || (receipt.grantJti !== null && granted.jtis.has(receipt.grantJti)),
    "wipe-receipt-other-grant",
    WHERE,
    "it names a grant that is not in the export",
  );
}
