import type { PublicJwk } from "../../signature/key.ts";
import { usageExportSchema } from "../export.ts";
import type { TrustedProviderKeys } from "./capacity/evidence.ts";
import { verifyCapacity } from "./capacity/verify-capacity.ts";
import type { Finding } from "./finding.ts";
import { serverKeyRing } from "./keys.ts";
import { Report } from "./report.ts";
import { type BillFacts, verifyLease } from "./verify-lease.ts";

export interface BillVerification {
  /** Nothing differs. What cannot be proved is listed all the same. */
  readonly verified: boolean;
  readonly findings: readonly Finding[];
  /** What held, in sentences. */
  readonly checked: readonly string[];
  readonly bills: readonly BillFacts[];
  /** What the bills come to together; null when the export cannot be read. */
  readonly totalMicros: string | null;
  readonly currency: string | null;
}

export interface VerifyBillOptions {
  /** Keys that were got from the server by another way than this export. */
  readonly trustedServerKeys?: readonly PublicJwk[];
  /** The same of providers, by their ids. */
  readonly trustedProviderKeys?: TrustedProviderKeys;
}

/**
 * Recomputes the bills of an export from what was signed, with no server and no database, and with
 * none of the code that made them. It proves integrity and arithmetic; what it cannot prove it says.
 */
export function verifyBill(
  exported: unknown,
  { trustedServerKeys, trustedProviderKeys = new Map() }: VerifyBillOptions = {},
): BillVerification {
  const report = new Report();
  sayWhatIsTrusted(report);
  const parsed = usageExportSchema.safeParse(exported);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      report.add("export-malformed", pathText(issue.path), issue.message);
    }
    const { findings, checked } = report;
    return { verified: false, findings, checked, bills: [], totalMicros: null, currency: null };
  }
  const { leases } = parsed.data;
  const serverKeys = report.check("the server's keys are among those that you pinned", () =>
    serverKeyRing(parsed.data, trustedServerKeys, report),
  );
  const ids = leases.map(({ leaseId }) => leaseId);
  report.require(
    new Set(ids).size === ids.length,
    "lease-repeated",
    "leases",
    "one is there twice",
  );
  const batches = new Map<string, string>();
  const bills = leases.flatMap((lease, index) => {
    report.enter(leases.length === 1 ? "" : `leases[${index}].`);
    return verifyLease(lease, { ...parsed.data, serverKeys, batches }, report);
  });
  for (const [index, one] of (parsed.data.capacity ?? []).entries()) {
    report.enter(`capacity[${index}].`);
    const server = { ...parsed.data, serverKeys, trustedProviderKeys };
    bills.push(...verifyCapacity(one, server, report));
  }
  report.enter("");
  return {
    verified: report.findings.every(({ severity }) => severity === "cannot-prove"),
    findings: report.findings,
    checked: report.checked,
    bills,
    totalMicros: String(bills.reduce((sum, bill) => sum + BigInt(bill.totalMicros), 0n)),
    currency: bills.at(0)?.currency ?? null,
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
    "bills",
    "that these are the client and the lender of the lease rests on the server's seal alone",
  );
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "export";
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
