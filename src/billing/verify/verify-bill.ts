import type { KeyRing, PublicJwk } from "../../signature/key.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import { type BillExport, billExportSchema, billSealSchema } from "../bill.ts";
import { readBatches } from "./batches.ts";
import { expectBill, quotedMicros } from "./charge.ts";
import type { Finding } from "./finding.ts";
import { checkGrants, type Granted } from "./grants.ts";
import { agentKeyOf, serverKeyRing } from "./keys.ts";
import { checkBill } from "./lines.ts";
import { checkRecords } from "./records.ts";
import { Report } from "./report.ts";
import { checkWipeReceipt, isUnused } from "./wipe.ts";

export interface BillVerification {
  /** Nothing differs. What cannot be proved is listed all the same. */
  readonly verified: boolean;
  readonly findings: readonly Finding[];
  /** What held, in sentences. */
  readonly checked: readonly string[];
  /** What the signed records come to; null when the export cannot be read. */
  readonly totalMicros: string | null;
}

export interface VerifyBillOptions {
  /** Keys that were got from the server by another way than this export. */
  readonly trustedServerKeys?: readonly PublicJwk[];
}

/**
 * Recomputes a bill from what was signed, with no server and no database, and with none of the code
 * that made it. It proves integrity and arithmetic; what it cannot prove it says.
 */
export function verifyBill(
  exported: unknown,
  { trustedServerKeys }: VerifyBillOptions = {},
): BillVerification {
  const report = new Report();
  sayWhatIsTrusted(report);
  const parsed = billExportSchema.safeParse(exported);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      report.add("export-malformed", pathText(issue.path), issue.message);
    }
    return { verified: false, ...report, totalMicros: null };
  }
  const { bill } = parsed.data;
  const serverKeys = report.check("the server's keys are among those that you pinned", () =>
    serverKeyRing(parsed.data, trustedServerKeys, report),
  );
  const agentKey = agentKeyOf(parsed.data, report);
  const granted = report.check(
    "the server granted this lease to this host and partition, at the bill's prices",
    () => checkGrants(parsed.data, serverKeys, agentKey, report),
  );
  report.check("the server sealed exactly this bill", () =>
    checkSeal(parsed.data, serverKeys, granted, report),
  );
  const records = report.check("every batch of records is signed by the host's key", () =>
    readBatches(parsed.data, agentKey, report),
  );
  report.check("no record was altered, left out or repeated, from the grant to the final one", () =>
    checkRecords(records, granted, { bill, unused: isUnused(parsed.data, agentKey) }, report),
  );
  if (granted !== null) {
    report.check("the host signed that it wiped this lease, after the last record billed", () =>
      checkWipeReceipt(parsed.data, agentKey, granted, records, report),
    );
    report.check("the total is within what the granted period was quoted at", () =>
      checkQuote(parsed.data, granted, report),
    );
  }
  const expected = expectBill(records, bill.tariff, granted?.grantedNs ?? null);
  report.check("quantities, prices, amounts, sum and rounding follow from the records", () =>
    checkBill(bill, expected, records, report),
  );
  return {
    verified: report.findings.every(({ severity }) => severity === "cannot-prove"),
    findings: report.findings,
    checked: report.checked,
    totalMicros: expected.totalMicros.toString(),
  };
}

function sayWhatIsTrusted(report: Report): void {
  report.add(
    "lender-truth",
    "usageBatches",
    "signatures show what the lender's machine said and that nobody altered it, not that it told the truth",
  );
  report.add(
    "bill-parties",
    "bill",
    "that these are the client and the lender of the lease rests on the server's seal alone",
  );
}

function checkSeal(
  { bill, billJws }: BillExport,
  serverKeys: KeyRing,
  granted: Granted | null,
  report: Report,
): void {
  const seal = report.open("seal", "billJws", {
    jws: billJws,
    typ: "sublet-bill",
    keys: serverKeys,
    schema: billSealSchema,
  });
  if (seal === null) return;
  report.require(
    seal.billId === bill.billId,
    "seal-other-bill",
    "billJws",
    `the seal is that of ${seal.billId}`,
  );
  report.require(
    seal.documentSha256 === sha256Hex(canonicalJson(bill)),
    "seal-other-document",
    "billJws",
    "the bill is not the document that the server sealed",
  );
  report.require(
    granted === null || granted.first.iss === seal.iss,
    "issuer-differs",
    "billJws",
    "the bill and the grant are of different servers",
  );
}

function checkQuote({ bill }: BillExport, { first, grantedNs }: Granted, report: Report): void {
  const mostMicros = quotedMicros(first.partition.size, first.tariff, grantedNs);
  report.require(
    BigInt(bill.totalMicros) <= mostMicros,
    "total-above-quote",
    "bill.totalMicros",
    `the granted period could cost ${mostMicros} micros at the most`,
  );
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "export";
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
