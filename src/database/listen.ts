import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { BACKOFF, backoffMs } from "../process/backoff.ts";
import type { Database } from "./connect.ts";
import { errorFields } from "./failure.ts";

export interface ListenHandlers {
  readonly onNotification: (channel: string, payload: string) => void;
  /** What was notified meanwhile is lost: read again what the channels speak of. */
  readonly onReconnect: () => void;
}

export interface Listener {
  close(): Promise<void>;
}

/** A broken TCP connection says nothing; this asks. */
const PROBE_EVERY_MS = 20_000;
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Listens to channels on one connection of its own, and connects again for ever when that breaks.
 * Returns when the first connection listens; throws when that one fails.
 */
export async function listen(
  db: Pick<Database, "clientConfig" | "log">,
  channels: readonly string[],
  handlers: ListenHandlers,
): Promise<Listener> {
  const closing = new AbortController();
  let session = await openSession(db, channels, handlers);

  const keepListening = async () => {
    for (;;) {
      const cause = await session.broken;
      if (closing.signal.aborted) return;
      db.log.warn(errorFields(cause), "lost the listening database connection");
      const next = await openAgain(db, channels, handlers, closing.signal);
      if (next === undefined) return;
      session = next;
      handlers.onReconnect();
    }
  };
  const kept = keepListening();
  return {
    close: async () => {
      closing.abort();
      await session.end();
      await kept;
    },
  };
}

interface Session {
  readonly broken: Promise<Error | undefined>;
  end(): Promise<void>;
}

async function openSession(
  db: Pick<Database, "clientConfig">,
  channels: readonly string[],
  handlers: ListenHandlers,
): Promise<Session> {
  const client = new pg.Client({ ...db.clientConfig, query_timeout: PROBE_TIMEOUT_MS });
  const { promise: broken, resolve } = Promise.withResolvers<Error | undefined>();
  client.on("error", resolve);
  client.on("end", () => resolve(undefined));
  client.on("notification", ({ channel, payload }) =>
    handlers.onNotification(channel, payload ?? ""),
  );
  await client.connect();
  for (const channel of channels) await client.query(`listen ${pg.escapeIdentifier(channel)}`);
  const probe = setInterval(() => {
    client.query("select 1").catch((error: Error) => resolve(error));
  }, PROBE_EVERY_MS);
  probe.unref();
  const end = async () => {
    clearInterval(probe);
    await client.end();
  };
  return { broken: broken.then((cause) => end().then(() => cause)), end };
}

async function openAgain(
  db: Pick<Database, "clientConfig" | "log">,
  channels: readonly string[],
  handlers: ListenHandlers,
  signal: AbortSignal,
): Promise<Session | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) return undefined;
    try {
      return await openSession(db, channels, handlers);
    } catch (error) {
      db.log.warn(
        { ...errorFields(error), attempt },
        "the listening database connection is not back yet",
      );
    }
    await sleep(backoffMs(BACKOFF.listen, attempt), undefined, { signal }).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }
}
