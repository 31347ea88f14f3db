import { lookup as lookUp } from "node:dns";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { PRODUCT_VERSION } from "../../unit/version.ts";
import { hostOf, isPrivateAddress } from "./address.ts";
import type { DeliveredBill, Outcome } from "./delivery.ts";
import { signWebhook } from "./secret.ts";

/** From the name's lookup to the last byte of the answer; the specification asks for 15 to 30 s. */
const TIMEOUT_MS = 15_000;
/** Nothing of an answer is read but its status; so much is let in for a polite end. */
const ANSWER_BYTES_MAX = 16_384;

export interface Webhook {
  /** The message's id: the same at every attempt, so that a receiver can drop a repetition. */
  readonly deliveryId: string;
  readonly url: string;
  readonly secrets: readonly Buffer[];
  readonly bill: DeliveredBill;
  readonly now: Date;
  readonly allowPrivate: boolean;
  readonly timeoutMs?: number;
}

/** What is sent of a bill; the same text at every attempt. */
export function webhookBody(bill: DeliveredBill): string {
  return JSON.stringify({ type: "bill.closed", timestamp: bill.closedAt, data: bill.summary });
}

/**
 * One attempt by the Standard Webhooks specification. 2xx is success, 410 says that the receiver is
 * gone; a redirect is not followed, since where it leads was checked by nobody.
 */
export async function sendWebhook(webhook: Webhook): Promise<Outcome> {
  try {
    return read(await post(webhook));
  } catch (error) {
    return { outcome: "failed", status: null, reply: describe(error), next: "retry" };
  }
}

function read(status: number): Outcome {
  if (status >= 200 && status < 300) return { outcome: "delivered", status, reply: "" };
  const failed = { outcome: "failed", status } as const;
  if (status === 410) return { ...failed, reply: "410: the receiver is gone", next: "gone" };
  if (status >= 300 && status < 400) {
    const reply = `${status}: redirects are not followed; give the address that it leads to`;
    return { ...failed, reply, next: "retry" };
  }
  // Not its body: within a closed network that would show what is there.
  return { ...failed, reply: `the receiver answered ${status}`, next: "retry" };
}

function post(webhook: Webhook): Promise<number> {
  const { deliveryId, secrets, bill, now, timeoutMs = TIMEOUT_MS } = webhook;
  const url = new URL(webhook.url);
  const timestampSeconds = Math.floor(now.getTime() / 1000);
  const body = webhookBody(bill);
  const lookup = guarded(url, webhook.allowPrivate);
  return new Promise<number>((resolve, reject) => {
    const request: ClientRequest = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
      method: "POST",
      agent: false,
      lookup,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": `sublet/${PRODUCT_VERSION}`,
        "webhook-id": deliveryId,
        "webhook-timestamp": String(timestampSeconds),
        "webhook-signature": signWebhook({ id: deliveryId, timestampSeconds, body }, secrets),
      },
    });
    const timer = setTimeout(() => {
      request.destroy(new DeliveryError(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    request.once("close", () => clearTimeout(timer));
    request.on("error", reject);
    request.once("response", (response) => {
      // Its status is its answer; what comes behind it changes nothing.
      resolve(response.statusCode ?? 0);
      discard(response, request);
    });
    request.end(body);
  });
}

function discard(response: IncomingMessage, request: ClientRequest): void {
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) request.destroy();
  });
  response.on("error", () => request.destroy());
  response.once("end", () => request.destroy());
}

/** What the name leads to is decided upon and connected to in one: no second lookup can differ. */
function guarded(url: URL, allowPrivate: boolean): LookupFunction {
  const refuse = (addresses: readonly string[]): DeliveryError | null => {
    if (!allowPrivate && addresses.some(isPrivateAddress)) {
      return new DeliveryError("it leads into a private network, which is not sent to");
    }
    if (url.protocol === "http:" && !addresses.every(isPrivateAddress)) {
      return new DeliveryError("without https nothing is sent over the public network");
    }
    return null;
  };
  const host = hostOf(url);
  // An address is not looked up, so it never comes by below.
  const refused = isIP(host) === 0 ? null : refuse([host]);
  if (refused) throw refused;
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      const problem = error ?? refuse((addresses ?? []).map(({ address }) => address));
      if (problem || !first) callback(problem ?? new DeliveryError("it leads nowhere"), "", 0);
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

class DeliveryError extends Error {
  override readonly name = "DeliveryError";
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return describe(error.errors[0]);
  if (!(error instanceof Error)) return "it could not be sent";
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
