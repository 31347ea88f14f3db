import type { JoinedContext } from "./context.ts";
import { forgetReports, pendingReports } from "./report/store.ts";

const REPORTS_PER_REQUEST_MAX = 100;

/** Sends what is in the outbox, in order, until it is empty. */
export async function reportOnce(context: JoinedContext): Promise<void> {
  for (;;) {
    const reports = [...pendingReports(context.db, REPORTS_PER_REQUEST_MAX)];
    if (reports.length === 0) return;
    const { accepted, refused } = await context.server.client.call("report", { body: { reports } });
    for (const { reportId, code, message } of refused) {
      context.log.error({ reportId, code, reason: message }, "the server refused a report");
    }
    const settled = new Set([...accepted, ...refused.map(({ reportId }) => reportId)]);
    forgetReports(context.db, [...settled]);
    if (!reports.some(({ reportId }) => settled.has(reportId))) {
      throw new Error("the server answered for none of the reports that it was sent");
    }
  }
}
