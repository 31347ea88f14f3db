import { ApiError } from "../../api/client/error.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal } from "../../refusal/refusal.ts";
import { claimedPayload } from "../../signature/envelope.ts";
import { isId, type PartyId } from "../../unit/id.ts";
import type { JoinedContext } from "../context.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { listCodes } from "./code-store.ts";
import { readProvider, writeProvider } from "./provider-store.ts";
import { takeReceipt } from "./receipts.ts";
import { pendingActs, presentHead } from "./report.ts";

/** Where acts go on line: the joined server, or what a test puts there. */
export interface ActsReceiver {
  /** Gives this provider's receipt; throws ApiError when they are refused. */
  send(actsJws: string, providerId: PartyId): Promise<{ readonly receiptJws: string }>;
}

export function serverReceiver(context: JoinedContext): ActsReceiver {
  return {
    send: (actsJws, providerId) =>
      context.server.client.call("sendActs", { body: { actsJws, providerId } }),
  };
}

/** So often a provider sees where the ledger of a host stands that does nothing. */
const HEAD_EVERY_MS = 86_400_000;

/**
 * Sends acts that no receipt covers, to each provider of this host's codes by itself, and once a day
 * the head. What is refused is kept: the provider may be elsewhere, and take them as a file. It keeps
 * back nothing of another provider. Throws at the end when anything was refused.
 */
export async function sendActsOnce(
  context: JoinedContext,
  receiver: ActsReceiver = serverReceiver(context),
): Promise<void> {
  const providers = new Set(listCodes(context.db).map(({ code }) => code.iss));
  const refused: Error[] = [];
  for (const providerId of providers) {
    const error = await sendTo(context, receiver, providerId);
    if (error !== null) refused.push(error);
  }
  const [first] = refused;
  if (first !== undefined) throw first;
}

async function sendTo(
  context: JoinedContext,
  receiver: ActsReceiver,
  providerId: PartyId,
): Promise<Error | null> {
  const waiting = pendingActs(context, providerId).map(({ jws }) => jws);
  for (const jws of waiting) {
    const refused = await send(context, receiver, providerId, jws);
    if (refused !== null) return refused;
  }
  if (waiting.length > 0 || !isHeadDue(context, providerId)) return null;
  const refused = await send(context, receiver, providerId, presentHead(context, providerId));
  // A provider that is elsewhere sees it in a file; it is asked again tomorrow.
  if (refused !== null) noteHead(context, providerId);
  return null;
}

async function send(
  context: JoinedContext,
  receiver: ActsReceiver,
  providerId: PartyId,
  jws: string,
): Promise<Error | null> {
  try {
    const { receiptJws } = await receiver.send(jws, providerId);
    const taken = takeReceipt(context, providerId, receiptJws);
    return taken instanceof Refusal ? taken : null;
  } catch (error) {
    const isRefusal = error instanceof ApiError && error.httpStatus < 500;
    if (!isRefusal || error.code === "not-authenticated") throw error;
    const fields = { providerId, code: error.code, reason: error.message };
    context.log.warn(fields, "the server refused acts; they are kept, for a file");
    return error;
  }
}

function isHeadDue(context: JoinedContext, providerId: PartyId): boolean {
  const { headAt } = readProvider(context.db, providerId);
  if (headAt === null) return true;
  const { atMs } = inTransaction(context.db, () => tellCapacityTime(context));
  const sinceMs = atMs - Date.parse(headAt);
  // Below zero where the time of events was set back since.
  return sinceMs < 0 || sinceMs >= HEAD_EVERY_MS;
}

function noteHead(context: JoinedContext, providerId: PartyId): void {
  inTransaction(context.db, () => {
    writeProvider(context.db, providerId, { headAt: tellCapacityTime(context).at });
  });
}

/** Whose receipt it says to be. */
export function signerOf(receiptJws: string): PartyId | null {
  const claimed = claimedPayload(receiptJws) as { iss?: unknown } | null | undefined;
  const iss = typeof claimed?.iss === "string" ? claimed.iss : "";
  return isId("party", iss) ? iss : null;
}
