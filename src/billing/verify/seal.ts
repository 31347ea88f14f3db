import type { KeyRing } from "../../signature/key.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { AnyBill } from "../any-bill.ts";
import { billSealSchema } from "../bill.ts";
import type { Report } from "./report.ts";

interface Sealed {
  readonly bill: AnyBill;
  readonly earlier: readonly AnyBill[];
  readonly serverId: string;
  readonly serverKeys: KeyRing;
  readonly where: string;
}

/** The server's word for exactly this document, which names the one before it. */
export function checkSeal(
  billJws: string,
  { bill, earlier, serverId, serverKeys, where }: Sealed,
  report: Report,
): void {
  const previous = earlier.at(-1);
  report.require(
    canonicalJson(bill.previous) === canonicalJson(previous ? nameOf(previous) : null),
    "bill-previous-differs",
    `${where}.previous`,
    "it names another bill than the one before it",
  );
  const place = `${where}.billJws`;
  const seal = report.open("seal", place, {
    jws: billJws,
    typ: "sublet-bill",
    keys: serverKeys,
    schema: billSealSchema,
  });
  if (seal === null) return;
  const compare = [
    ["seal-other-bill", seal.billId === bill.billId, `the seal is that of ${seal.billId}`],
    [
      "seal-other-document",
      seal.documentSha256 === sha256Hex(canonicalJson(bill)),
      "the bill is not the document that the server sealed",
    ],
    ["issuer-differs", seal.iss === serverId, "the bill and the export are of different servers"],
  ] as const;
  for (const [code, holds, message] of compare) report.require(holds, code, place, message);
}

function nameOf(bill: AnyBill): AnyBill["previous"] {
  return { billId: bill.billId, documentSha256: sha256Hex(canonicalJson(bill)) };
}
