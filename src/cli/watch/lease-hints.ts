import type { Client } from "../../api/client/client.ts";
import type { LeaseId } from "../../unit/id.ts";

/** Each is a connection of its own; changes of further leases are seen a little later. */
const STREAMS_MAX = 20;

export interface LeaseHints {
  /** Returns when one of these leases changed, or after so long. */
  next(leaseIds: readonly LeaseId[], everyMs: number, stop: AbortSignal): Promise<void>;
  end(): void;
}

/**
 * The server's streams of several leases' changes as one hint to look again. Where a stream breaks
 * it is opened anew with the next look, and looking regularly does meanwhile.
 */
export function leaseHints(client: Client): LeaseHints {
  const open = new Map<LeaseId, AbortController>();
  let changed = false;
  let wake: () => void = () => undefined;
  const read = async (leaseId: LeaseId, closed: AbortController) => {
    const answer = await client.fetch(`/v1/leases/${leaseId}/changes`, {
      headers: { accept: "text/event-stream" },
      signal: closed.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      if (!decoder.decode(chunk, { stream: true }).includes("data:")) continue;
      changed = true;
      wake();
    }
  };
  const follow = (leaseIds: readonly LeaseId[]) => {
    const wanted = new Set(leaseIds.slice(0, STREAMS_MAX));
    for (const [leaseId, closed] of open) if (!wanted.has(leaseId)) closed.abort();
    for (const leaseId of wanted) {
      if (open.has(leaseId)) continue;
      const closed = new AbortController();
      open.set(leaseId, closed);
      const forget = () => void (open.get(leaseId) === closed && open.delete(leaseId));
      read(leaseId, closed).then(forget, forget);
    }
  };
  return {
    async next(leaseIds, everyMs, stop) {
      follow(leaseIds);
      if (!changed && !stop.aborted) {
        await new Promise<void>((done) => {
          const finish = () => {
            clearTimeout(timer);
            stop.removeEventListener("abort", finish);
            done();
          };
          const timer = setTimeout(finish, everyMs);
          stop.addEventListener("abort", finish);
          wake = finish;
        });
      }
      changed = false;
    },
    end: () => {
      for (const closed of open.values()) closed.abort();
    },
  };
}
