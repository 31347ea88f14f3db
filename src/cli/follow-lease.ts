import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../api/client/client.ts";
import type { LeaseEventView, LeaseView } from "../api/contract/view.ts";
import type { LeaseId } from "../unit/id.ts";
import type { Context } from "./context.ts";
import { leaseChanges } from "./lease-changes.ts";
import { eventText } from "./lease-text.ts";
import { type Progress, progress } from "./output/progress.ts";
import { isUnanswered } from "./until-answered.ts";

/** A server that restarts is waited for; the lease goes on meanwhile. */
const SILENCE_MAX_MS = 60_000;
const POLL_FIRST_MS = 200;
const POLL_LAST_MS = 2_000;

/**
 * Waits until the lease is as wanted, and prints what happens to it meanwhile: from its booking, or
 * from an instant of the server's clock. That it ends is for the caller to want as well. Who gives
 * up the waiting says so by `signal`.
 */
export async function followLease(
  context: Context,
  client: Client,
  leaseId: LeaseId,
  isWanted: (lease: LeaseView) => boolean,
  since = new Date(0),
  signal?: AbortSignal,
): Promise<LeaseView> {
  const shown = progress(context);
  const teller = new EventTeller(shown, since);
  const changes = leaseChanges(client, leaseId);
  const startedAtMs = context.clock.now().getTime();
  try {
    for (let pollMs = POLL_FIRST_MS; ; pollMs = Math.min(pollMs * 1.5, POLL_LAST_MS)) {
      const { lease, events } = await look(context, client, leaseId, shown);
      teller.tell(events);
      if (isWanted(lease)) return lease;
      const waitedSeconds = Math.floor((context.clock.now().getTime() - startedAtMs) / 1000);
      shown.update(`${leaseId} is ${lease.state}, waited ${waitedSeconds} s`);
      await changes.next(pollMs);
      signal?.throwIfAborted();
    }
  } finally {
    shown.done();
    changes.stop();
  }
}

async function look(context: Context, client: Client, leaseId: LeaseId, shown: Progress) {
  const sinceMs = context.clock.now().getTime();
  for (;;) {
    try {
      return await client.call("showLease", { params: { leaseId } });
    } catch (error) {
      const silentMs = context.clock.now().getTime() - sinceMs;
      if (!isUnanswered(error) || silentMs > SILENCE_MAX_MS) throw error;
      shown.update(`the server does not answer; ${leaseId} goes on meanwhile`);
      await sleep(POLL_LAST_MS / 2);
    }
  }
}

/** Each event once, with the seconds since the first: by the server's clock alone. */
class EventTeller {
  #seq = -1;
  #firstMs: number | undefined;
  readonly #shown: Progress;
  readonly #sinceMs: number;
  constructor(shown: Progress, since: Date) {
    this.#shown = shown;
    this.#sinceMs = since.getTime();
  }

  tell(events: readonly LeaseEventView[]): void {
    for (const event of events) {
      if (event.seq <= this.#seq) continue;
      this.#seq = event.seq;
      const atMs = new Date(event.at).getTime();
      if (atMs < this.#sinceMs) continue;
      this.#firstMs ??= atMs;
      const seconds = ((atMs - this.#firstMs) / 1000).toFixed(1);
      this.#shown.line(`${seconds.padStart(7)} s  ${eventText(event)}`);
    }
  }
}
