import type { Client } from "../api/client/client.ts";
import type { LeaseId } from "../unit/id.ts";

/** While the stream works, looking anyway is a matter of caution. */
const STREAMING_POLL_MS = 5_000;

export interface LeaseChanges {
  /** Returns at the next change, or after so long. */
  next(pollMs: number): Promise<void>;
  stop(): void;
}

/**
 * The server's stream of a lease's changes, used as a hint to look again. Where it does not work
 * (a proxy, a server that restarts) looking regularly does, so its failure is no failure.
 */
export function leaseChanges(client: Client, leaseId: LeaseId): LeaseChanges {
  const stopped = new AbortController();
  let streaming = false;
  let changed = false;
  let wake: () => void = () => undefined;
  const read = async () => {
    const answer = await client.fetch(`/v1/leases/${leaseId}/changes`, {
      headers: { accept: "text/event-stream" },
      signal: stopped.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      streaming = true;
      if (!decoder.decode(chunk, { stream: true }).includes("data:")) continue;
      changed = true;
      wake();
    }
  };
  const ended = () => {
    streaming = false;
  };
  read().then(ended, ended);
  return {
    async next(pollMs) {
      if (!changed) await within(streaming ? STREAMING_POLL_MS : pollMs, (done) => (wake = done));
      changed = false;
    },
    stop: () => stopped.abort(),
  };
}

function within(ms: number, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    start(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
