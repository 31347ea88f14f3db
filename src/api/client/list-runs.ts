import { runState } from "../../lease/run-state.ts";
import { getRun, listRunsOfParty, type Run } from "../../lease/run-store.ts";
import type { ServerContext } from "../context.ts";
import type { RunView } from "../contract/run.ts";
import type { Handler } from "../handler.ts";

export const listRuns: Handler<"listRuns"> = async (context, { caller, query }) => {
  const { cursor, limit } = query;
  const which = { partyId: caller.partyId, cursor, limit };
  const runs = await listRunsOfParty(context.db.kysely, which);
  return {
    runs: runs.map((run) => viewRun(context, run)),
    nextCursor: runs.length === limit ? (runs.at(-1)?.runId ?? null) : null,
  };
};

export const showRun: Handler<"showRun"> = async (context, { caller, params }) =>
  viewRun(context, await getRun(context.db.kysely, caller.partyId, params.runId));

export function viewRun({ terms }: Pick<ServerContext, "terms">, run: Run): RunView {
  const { runId, kind, command, leases } = run;
  const billedMicros = leases.reduce((sum, { totalMicros }) => sum + (totalMicros ?? 0n), 0n);
  const facts = leases.map((lease) => ({ ...lease, isStarted: lease.startedAt !== null }));
  const { exitCode } = run;
  return {
    ...{ runId, kind, command },
    state: runState({ kind, exitCode, isCancelled: run.cancelledAt !== null, leases: facts }),
    exitCode: exitCode ?? (kind === "detached" ? (leases[0]?.exitCode ?? null) : null),
    createdAt: run.createdAt.toISOString(),
    cancelledAt: run.cancelledAt?.toISOString() ?? null,
    finishedAt: (run.finishedAt ?? leases[0]?.exitedAt)?.toISOString() ?? null,
    currency: terms.currency,
    billedMicros: billedMicros.toString(),
    leases: leases.map(viewRunLease),
  };
}

function viewRunLease(lease: Run["leases"][number]): RunView["leases"][number] {
  const { outputsDigest, outputsGone, outboxBytes } = lease;
  return {
    leaseId: lease.leaseId,
    state: lease.state,
    outcome: lease.outcome,
    startedAt: lease.startedAt?.toISOString() ?? null,
    exitedAt: lease.exitedAt?.toISOString() ?? null,
    exitCode: lease.exitCode,
    billId: lease.billId,
    totalMicros: lease.totalMicros?.toString() ?? null,
    outputs:
      outboxBytes === null
        ? null
        : {
            state: outputsGone ? "gone" : outputsDigest ? "kept" : "awaited",
            bytesMax: Number(outboxBytes),
            bytes: lease.outputsBytes === null ? null : Number(lease.outputsBytes),
            until: lease.outputsUntil?.toISOString() ?? null,
            reason: outputsGone,
          },
  };
}
