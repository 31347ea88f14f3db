import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { type Report, reportSchema } from "../../api/contract/agent.ts";
import type { LeaseId } from "../../unit/id.ts";

/** The variable part of a report; number, instant and lease are added when it is stored. */
export type ReportBody = Report extends infer R
  ? R extends Report
    ? Omit<R, "reportId" | "at" | "leaseId">
    : never
  : never;

/**
 * Puts a report into the outbox, in the caller's transaction: with the change that it reports, or
 * not at all. Its number counts the lease's reports, so a repeat after a crash has the same. What
 * happens to an own guest is the owner's alone: that is not put there.
 */
export function queueReport(
  db: DatabaseSync,
  about: { readonly leaseId: LeaseId; readonly at: string },
  body: ReportBody,
): Report {
  if (!db.isTransaction) throw new Error("a report is stored with what it reports");
  const counted = db
    .prepare(
      `UPDATE lease SET report_count = report_count + 1
        WHERE lease_id = ? RETURNING report_count, origin`,
    )
    .get(about.leaseId);
  const { report_count, origin } = countedRow.parse(counted);
  const report: Report = { reportId: `${about.leaseId}:${report_count}`, ...about, ...body };
  if (origin === "lease") insertReport(db, report);
  return report;
}

/** Again a report that was made before; nothing when it still waits. */
export function queueReportAgain(db: DatabaseSync, report: Report): void {
  insertReport(db, report);
}

/** In the order in which they happened. */
export function pendingReports(db: DatabaseSync, limit: number): readonly Report[] {
  return db
    .prepare("SELECT report FROM report ORDER BY position LIMIT ?")
    .all(limit)
    .map((row) => reportSchema.parse(JSON.parse(reportRow.parse(row).report)));
}

export function forgetReports(db: DatabaseSync, reportIds: readonly string[]): void {
  const forget = db.prepare("DELETE FROM report WHERE report_id = ?");
  for (const reportId of reportIds) forget.run(reportId);
}

export function countReports(db: DatabaseSync, leaseId?: string): number {
  const row =
    leaseId === undefined
      ? db.prepare("SELECT count(*) AS report_count FROM report").get()
      : db.prepare("SELECT count(*) AS report_count FROM report WHERE lease_id = ?").get(leaseId);
  return countRow.parse(row).report_count;
}

const countedRow = z.object({ report_count: z.number(), origin: z.enum(["lease", "own"]) });
const countRow = z.object({ report_count: z.number() });
const reportRow = z.object({ report: z.string() });

function insertReport(db: DatabaseSync, report: Report): void {
  db.prepare(
    `INSERT INTO report (report_id, lease_id, report) VALUES (?, ?, ?)
     ON CONFLICT (report_id) DO NOTHING`,
  ).run(report.reportId, report.leaseId, JSON.stringify(report));
}
