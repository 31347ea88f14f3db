import { END_REASONS } from "../../lease/state.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { OUTBOX_HEAD_BYTES, type OutboxHead, readOutboxHead } from "../../partition/outbox.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { queueReport } from "../report/store.ts";
import { changeLease, type LeaseChange, type LeaseRow } from "./store.ts";

/**
 * Looks at what the guest says of its client's run. When all that it leaves behind is written, the
 * lease ends: the client said so in the booking that became this grant, and it needs neither the
 * client nor the server for it.
 */
export async function watchRun(context: AgentContext, lease: LeaseRow): Promise<void> {
  if (lease.stage !== "ready" || !lease.granted?.outbox || lease.endReason !== null) return;
  const head = await readHead(context, lease);
  const isDone = head.state === "done";
  tellRun(context, lease, head, isDone ? { endReason: END_REASONS.runDone } : {});
}

export async function readHead(context: AgentContext, lease: LeaseRow): Promise<OutboxHead> {
  const block = await context.driver.readOutbox(lease.leaseId, 0, OUTBOX_HEAD_BYTES);
  return readOutboxHead(block ?? Buffer.alloc(0), lease.granted?.outbox?.bytes ?? 0);
}

/** Each step is told once, with the change that comes with it. */
export function tellRun(
  context: AgentContext,
  lease: LeaseRow,
  head: OutboxHead,
  change: LeaseChange,
): void {
  const told = head.state === "empty" ? "nothing" : head.state === "running" ? "started" : "exited";
  const rank = ["nothing", "started", "exited"] as const;
  const isNews = rank.indexOf(told) > rank.indexOf(lease.runTold);
  if (!isNews && Object.keys(change).length === 0) return;
  const about = { leaseId: lease.leaseId, at: instantNow(context) };
  inTransaction(context.db, () => {
    if (isNews && lease.runTold === "nothing") {
      queueReport(context.db, about, { kind: "run-started" });
    }
    if (isNews && (head.state === "exited" || head.state === "done")) {
      queueReport(context.db, about, { kind: "run-exited", exitCode: head.exitCode });
    }
    changeLease(context.db, lease.leaseId, { ...change, ...(isNews ? { runTold: told } : {}) });
  });
}
