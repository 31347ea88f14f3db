import { ApiError } from "../api/client/error.ts";
import type { ServerHint } from "../api/contract/agent.ts";
import { holdConnection } from "./connection.ts";
import { instantNow, type JoinedContext } from "./context.ts";
import { readDesiredOnce } from "./desired.ts";
import { rotateKeyOnce } from "./identity/rotate.ts";
import { reportCapacity } from "./report-capacity.ts";

export interface Follow {
  readonly token: () => string;
  readonly signal: AbortSignal;
  /** The connection stands, or the server hinted: what is desired is to be read again. */
  readonly onNews: () => void;
}

/**
 * One visit to the server: its time first, since a token with a wrong instant is refused; then what
 * this host has; then the connection, until it breaks. The agent works on without any of it.
 */
export async function followServerOnce(context: JoinedContext, follow: Follow): Promise<void> {
  try {
    // Before any token is made: the server may know the new key already, and no longer the old.
    await rotateKeyOnce(context);
    await context.time.anchor(context.server.client, context.server.joined);
    await reportCapacity(context);
    const onOpen = () => {
      setConnection(context, "connected");
      context.log.info({ server: context.server.client.url }, "connected");
      follow.onNews();
    };
    const onHint = (hint: ServerHint) => {
      if (hint.kind === "desired") follow.onNews();
      else void context.tunnels.join(context, hint, follow.token());
    };
    await holdConnection(context, { ...follow, onOpen, onHint });
    if (!follow.signal.aborted) throw new Error("the connection to the server ended");
  } catch (error) {
    if (error instanceof ApiError && error.code === "host-removed") {
      await hearRemoval(context, error.message);
    }
    throw error;
  } finally {
    setConnection(context, "connecting");
  }
}

/**
 * The lender has removed this host. Its guests are not touched because of that: they end by their
 * grants' expiry, or by signed ends that name them, which the server still gives.
 */
async function hearRemoval(context: JoinedContext, reason: string): Promise<void> {
  context.log.error({ reason }, "this host was removed from its server");
  await context.time.anchor(context.server.client, context.server.joined);
  await readDesiredOnce(context);
}

function setConnection(context: JoinedContext, state: "connected" | "connecting"): void {
  if (context.server.connection.state === state) return;
  context.server.connection.state = state;
  context.server.connection.since = instantNow(context);
}
