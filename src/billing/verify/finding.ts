import type { VerifyCode } from "../../signature/envelope.ts";

/**
 * What the verifier can find. `differs`: the export contradicts itself, and the bill is not
 * verified. `cannot-prove`: nothing is wrong, but this stays a matter of trust; listed always.
 */
export const FINDINGS = {
  "export-malformed": "differs",
  "server-key-malformed": "differs",
  "seal-other-bill": "differs",
  "seal-other-document": "differs",
  "issuer-differs": "differs",
  "grant-missing": "differs",
  "grant-other-lease": "differs",
  "grant-other-host": "differs",
  "grant-other-partition": "differs",
  "grant-other-agent-key": "differs",
  "extension-differs": "differs",
  "extension-out-of-order": "differs",
  "extension-not-longer": "differs",
  "tariff-not-granted": "differs",
  "agent-key-missing": "differs",
  "agent-key-malformed": "differs",
  "batch-id-reused": "differs",
  "batch-other-host": "differs",
  "batch-other-chain": "differs",
  "batch-out-of-order": "differs",
  "record-repeated-differently": "differs",
  "record-bad-hash": "differs",
  "record-other-chain": "differs",
  "record-other-host": "differs",
  "record-other-partition": "differs",
  "record-other-cpu-mode": "differs",
  "record-other-size": "differs",
  "record-missing": "differs",
  "record-not-from-grant": "differs",
  "record-broken-link": "differs",
  "record-after-final": "differs",
  "record-not-joined": "differs",
  "record-clock-backwards": "differs",
  "record-elapsed-differs": "differs",
  "record-delivered-above-elapsed": "differs",
  "record-delivered-across-boots": "differs",
  "record-gap-unmarked": "differs",
  "final-missing": "differs",
  "incomplete-with-final": "differs",
  "removal-differs": "differs",
  "evidence-seq-differs": "differs",
  "evidence-hash-differs": "differs",
  "wipe-receipt-other-lease": "differs",
  "wipe-receipt-other-host": "differs",
  "wipe-receipt-other-partition": "differs",
  "wipe-receipt-other-grant": "differs",
  "wipe-receipt-seq-differs": "differs",
  "wipe-receipt-hash-differs": "differs",
  "lease-repeated": "differs",
  "bill-number-differs": "differs",
  "bill-previous-differs": "differs",
  "bill-kind-differs": "differs",
  "time-zone-differs": "differs",
  "period-differs": "differs",
  "period-not-reached": "differs",
  "month-edge-missing": "differs",
  "granted-until-differs": "differs",
  "missing-differs": "differs",
  "used-differs": "differs",
  "elapsed-differs": "differs",
  "delivered-differs": "differs",
  "line-missing": "differs",
  "line-repeated": "differs",
  "line-unexpected": "differs",
  "line-unit-differs": "differs",
  "line-quantity-differs": "differs",
  "line-price-differs": "differs",
  "line-amount-differs": "differs",
  "line-not-charged-differs": "differs",
  "line-place-differs": "differs",
  "line-corrects-differs": "differs",
  "line-event-differs": "differs",
  "line-records-differ": "differs",
  "sum-differs": "differs",
  "carried-differs": "differs",
  "total-differs": "differs",
  "remainder-differs": "differs",
  "total-above-quote": "differs",
  "capacity-key-malformed": "differs",
  "code-other-parties": "differs",
  "code-repeated": "differs",
  "code-accepted-differs": "differs",
  "code-overdrawn": "differs",
  "acts-other-host": "differs",
  "acts-head-differs": "differs",
  "act-repeated-differently": "differs",
  "act-bad-hash": "differs",
  "act-other-host": "differs",
  "act-broken-link": "differs",
  "act-clock-backwards": "differs",
  "act-missing": "differs",
  "pause-out-of-turn": "differs",
  "record-in-pause": "differs",
  "service-missing": "differs",
  "chain-unknown": "differs",
  "record-not-from-code": "differs",
  "record-without-capacity": "differs",
  "record-other-service": "differs",
  "record-period-differs": "differs",
  "record-threshold-differs": "differs",
  "record-debits-differ": "differs",
  "threshold-changed": "differs",
  "threshold-not-stated": "differs",
  "metered-differs": "differs",
  "draw-not-valid": "differs",
  "draw-order-differs": "differs",
  "draw-of-lent": "differs",
  "corrected-differs": "differs",
  "bill-other-parties": "differs",
  "bill-act-differs": "differs",
  "bill-act-repeated": "differs",
  "incomplete-differs": "differs",
  "evidence-chain-missing": "differs",
  "line-used-differs": "differs",
  "line-excess-differs": "differs",
  "line-threshold-differs": "differs",
  "line-rounding-differs": "differs",
  "line-billed-differs": "differs",
  "line-charged-differs": "differs",
  "currency-differs": "differs",
  "tariff-missing": "differs",
  "fee-differs": "differs",
  "lender-truth": "cannot-prove",
  "bill-parties": "cannot-prove",
  "server-keys-unpinned": "cannot-prove",
  "provider-keys-unpinned": "cannot-prove",
  "host-keys-unpinned": "cannot-prove",
  causes: "cannot-prove",
  "not-billed": "cannot-prove",
  "nothing-granted": "cannot-prove",
  "wipe-receipt-missing": "cannot-prove",
  "bill-incomplete": "cannot-prove",
  "record-corrected": "cannot-prove",
  "host-removed": "cannot-prove",
} as const;

/** A signed text that was refused says what it was and why: `batch-bad-signature`. */
export type SignedPart =
  | "code"
  | "acts"
  | "seal"
  | "grant"
  | "extension"
  | "batch"
  | "wipe-receipt"
  | "removal";
export type FindingCode = keyof typeof FINDINGS | `${SignedPart}-${VerifyCode}`;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: "differs" | "cannot-prove";
  readonly message: string;
  /** The place in the export: `bills[0].lines[2]`, `usageBatches[0]`, `record 7`. */
  readonly where: string;
}

export function finding(code: FindingCode, where: string, message: string): Finding {
  const severity = code in FINDINGS ? FINDINGS[code as keyof typeof FINDINGS] : "differs";
  return { code, severity, message, where };
}
