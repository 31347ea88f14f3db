import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import { ApiError, problemSchema } from "../../api/client/error.ts";
import { type Carrier, CLOSED_DONE } from "../../tunnel/carrier.ts";
import { SECRET_BYTES } from "../../tunnel/frame.ts";
import { TunnelEnd } from "../../tunnel/tunnel-end.ts";
import { type ConnectionEnd, holdTunnelConnection } from "../../tunnel/web-socket.ts";
import type { LeaseId } from "../../unit/id.ts";
import { CliError } from "../failure.ts";

/**
 * A server that restarts, or a laptop that changes its network, is back within this, or not soon. An
 * agent looks for a server that is away every half minute at the least.
 */
const CONTINUE_WITHIN_MS = 90_000;
/** Before anything flowed there is nothing to lose: who types `ssh` wants to know. */
const OPEN_WITHIN_MS = 20_000;
const PAUSE_FIRST_MS = 200;
const PAUSE_LAST_MS = 2_000;

export interface TunnelInput {
  readonly client: Client;
  readonly leaseId: LeaseId;
  readonly readable: Readable;
  readonly writable: Writable;
}

/**
 * The client's end of a tunnel to a lease's guest: over as many connections through the server as it
 * takes, each with a ticket of its own, until both streams have ended. Throws a failure by name.
 */
export async function throughRelay({ client, leaseId, ...streams }: TunnelInput): Promise<void> {
  const tunnelId = randomBytes(16).toString("hex");
  const over = new AbortController();
  let failure: string | undefined;
  const end = new TunnelEnd({
    ...streams,
    secret: randomBytes(SECRET_BYTES),
    onOutcome: (outcome) => {
      if (outcome.kind === "failed") failure = outcome.reason;
      over.abort();
    },
  });
  const patience = new Patience();
  while (!over.signal.aborted) {
    const held = await connectOnce({ client, leaseId, tunnelId, end, over: over.signal });
    if (over.signal.aborted) break;
    if (held.kind === "for-good") failure = held.reason;
    else if (patience.isOver(held.flowed)) failure = "relay-unreachable";
    if (failure !== undefined) {
      end.fail(failure);
      throw failureOf(leaseId, failure, held.cause);
    }
    await sleep(patience.pauseMs());
  }
  if (failure !== undefined) throw failureOf(leaseId, failure);
}

/** How long a tunnel without a connection is worth another try. */
class Patience {
  #mostMs = OPEN_WITHIN_MS;
  #sinceMs = performance.now();
  #pauseMs = PAUSE_FIRST_MS;

  isOver(hasFlowed: boolean): boolean {
    const nowMs = performance.now();
    if (hasFlowed) {
      this.#mostMs = CONTINUE_WITHIN_MS;
      this.#sinceMs = nowMs;
      this.#pauseMs = PAUSE_FIRST_MS;
    }
    return nowMs - this.#sinceMs > this.#mostMs;
  }

  pauseMs(): number {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, PAUSE_LAST_MS);
    return pauseMs;
  }
}

interface Attempt {
  readonly client: Client;
  readonly leaseId: LeaseId;
  readonly tunnelId: string;
  readonly end: TunnelEnd;
  readonly over: AbortSignal;
}

type Attempted =
  | { readonly kind: "lost"; readonly flowed: boolean; readonly cause: string }
  | { readonly kind: "for-good"; readonly reason: string; readonly cause: string };

/** One ticket, one connection. Refusals are thrown as they are; trouble of the network is `lost`. */
async function connectOnce({ client, leaseId, tunnelId, end, over }: Attempt): Promise<Attempted> {
  let used: Carrier | undefined;
  let flowed = false;
  let held: ConnectionEnd;
  try {
    const { ticket } = await client.call("openRelay", { params: { leaseId } });
    held = await holdTunnelConnection({
      url: `${client.url}/v1/client/leases/${leaseId}/relay`,
      headers: {
        ...(await client.headers()),
        "sublet-ticket": ticket,
        "sublet-tunnel": tunnelId,
      },
      onOpen: (carrier) => {
        used = carrier;
        if (over.aborted) carrier.close(CLOSED_DONE, "done");
        else end.attach(carrier);
      },
      onFrame: (carrier, bytes) => {
        end.receive(carrier, bytes);
        flowed ||= end.isFlowing;
      },
    });
  } catch (error) {
    if (!isPassing(error)) throw error;
    return { kind: "lost", flowed, cause: error.message };
  }
  if (used !== undefined) end.detach(used);
  if (held.kind === "refused") {
    const error = refusalOf(held);
    if (!isPassing(error)) throw error;
    return { kind: "lost", flowed, cause: error.message };
  }
  if (held.kind === "lost") return { kind: "lost", flowed, cause: held.cause };
  return { kind: "for-good", reason: held.reason, cause: held.reason };
}

/** A server that is away, or starts, is asked again; a "no" is a "no". */
function isPassing(error: unknown): error is Error {
  if (error instanceof ApiError) return error.httpStatus >= 500;
  return error instanceof Error && (error as { code?: unknown }).code === "server-unreachable";
}

function refusalOf({ httpStatus, body }: Extract<ConnectionEnd, { kind: "refused" }>): ApiError {
  const parsed = problemSchema.safeParse(parseJson(body));
  const detail = `the server answered ${httpStatus} where its relay should be; is it an older one?`;
  return new ApiError(
    parsed.success ? parsed.data : { code: "relay-missing", status: httpStatus, detail },
  );
}

/** What the two ends say to each other when a tunnel is given up, for a person. */
const SENTENCES: Readonly<Record<string, (leaseId: string) => string>> = {
  "lease-over": (leaseId) => `${leaseId} has ended, and the way in with it; book another`,
  "lease-unknown": (leaseId) => `the host knows nothing of ${leaseId}; tell the operator`,
  "lease-not-ready": (leaseId) => `the guest of ${leaseId} is not ready; wait until it is`,
  "guest-unreachable": (leaseId) =>
    `the guest of ${leaseId} does not answer at its host; look at \`sublet lease show ${leaseId}\``,
  "guest-gone": (leaseId) =>
    `the guest of ${leaseId} broke the connection; look at \`sublet lease show ${leaseId}\``,
  "tunnel-lost": () =>
    "the connection was interrupted and its other end did not outlast that; connect again",
  "tunnel-abandoned": () => "the connection was interrupted for too long; connect again",
  "agent-stopped": () => "the host's agent was stopped; connect again when it runs",
  "too-many-tunnels": (leaseId) => `${leaseId} has too many connections open; end some of them`,
  "local-stream-broken": () => "what used this connection has gone",
  "tunnel-garbled": () => "the two ends do not understand each other; do both have one version?",
};

function failureOf(leaseId: LeaseId, reason: string, cause?: string): CliError {
  const about = { leaseId, ...(cause === undefined ? {} : { cause }) };
  const sentence =
    reason === "relay-unreachable"
      ? `no way to the guest of ${leaseId} through the server (${cause}); the lease goes on, try again later`
      : (SENTENCES[reason]?.(leaseId) ?? `the way to ${leaseId} was closed (${reason})`);
  return new CliError(reason, sentence, about);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
