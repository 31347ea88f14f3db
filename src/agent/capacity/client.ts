import type { HashedAct } from "../../enablement/capacity/act.ts";
import type { ReceiptFile, ReportFile } from "../../enablement/capacity/report-file.ts";
import type { Threshold } from "../../enablement/capacity/terms.ts";
import type { PartyId } from "../../unit/id.ts";
import { callAgent } from "../socket-client.ts";
import type { Enabled, EnableWish } from "./enable.ts";
import type { ReturnWish } from "./give-back.ts";
import type { Imported } from "./receipts.ts";
import type { ReportPart } from "./report.ts";
import type { ShownCapacity } from "./show.ts";

/**
 * The commands of enabled capacity at the agent's socket. Each throws ApiError for a refusal, and
 * AgentError `agent-not-running` when nobody listens.
 */
export function capacityClient(socketPath: string) {
  const post = <T>(name: string, body: unknown) =>
    callAgent(socketPath, "POST", `/v1/capacity/${name}`, body) as Promise<T>;
  return {
    show: () => callAgent(socketPath, "GET", "/v1/capacity") as Promise<ShownCapacity>,
    enable: (wish: EnableWish) => post<Enabled>("enable", wish),
    giveBack: (wish: ReturnWish) => post<{ readonly returned: readonly string[] }>("return", wish),
    setThreshold: (partition: string, threshold: Threshold) =>
      post<{ readonly from: string }>("threshold", { partition, threshold }),
    /** At most 500 acts from this number on. */
    history: (fromSeq = 1) => post<{ readonly acts: readonly HashedAct[] }>("history", { fromSeq }),
    billNow: (providerId?: PartyId) =>
      post<{ readonly bills: number }>("bill-now", providerId === undefined ? {} : { providerId }),
    /** All parts joined. */
    exportReport: async (providerId?: PartyId): Promise<ReportFile> => {
      const whose = providerId === undefined ? {} : { providerId };
      const next = (after: ReportPart["next"]) => post<ReportPart>("export", { ...whose, after });
      let part = await next(null);
      let { acts, usage } = part.report;
      while (part.next !== null) {
        part = await next(part.next);
        acts = [...acts, ...part.report.acts];
        usage = [...usage, ...part.report.usage];
      }
      return { ...part.report, acts, usage };
    },
    importReceipts: (file: ReceiptFile) => post<Imported>("import", file),
  };
}
export type CapacityClient = ReturnType<typeof capacityClient>;
