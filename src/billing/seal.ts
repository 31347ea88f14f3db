import type { z } from "zod";
import { sign, type Verified, verify } from "../signature/envelope.ts";
import type { KeyRing, SigningKey } from "../signature/key.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import type { AnyBill } from "./any-bill.ts";
import { billSealSchema } from "./bill.ts";

export type BillSeal = z.infer<typeof billSealSchema>;

/** The server's word that this bill, in every character, is closed. `iss` is the server's id. */
export function sealBill(bill: AnyBill, iss: string, key: SigningKey): string {
  const seal: BillSeal = { iss, billId: bill.billId, documentSha256: documentSha256(bill) };
  return sign("sublet-bill", seal, key);
}

export type SealCheck =
  | Verified<BillSeal>
  | {
      readonly ok: false;
      readonly code: "other-bill" | "other-document";
      readonly message: string;
    };

/** Whether `billJws` is a seal by one of `keys`, and the seal of this very document. */
export function checkSeal(bill: AnyBill, billJws: string, keys: KeyRing): SealCheck {
  const seal = verify({ jws: billJws, typ: "sublet-bill", keys, schema: billSealSchema });
  if (!seal.ok) return seal;
  if (seal.payload.billId !== bill.billId) {
    const message = `the seal is that of ${seal.payload.billId}`;
    return { ok: false, code: "other-bill", message };
  }
  if (seal.payload.documentSha256 !== documentSha256(bill)) {
    const message = "the bill is not the document that was sealed";
    return { ok: false, code: "other-document", message };
  }
  return seal;
}

function documentSha256(bill: AnyBill): string {
  return sha256Hex(canonicalJson(bill));
}
