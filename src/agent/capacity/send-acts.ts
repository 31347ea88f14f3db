import { ApiError } from "../../api/client/error.ts";
import { Refusal } from "../../refusal/refusal.ts";
import { claimedPayload } from "../../signature/envelope.ts";
import { isId, type PartyId } from "../../unit/id.ts";
import type { JoinedContext } from "../context.ts";
import { listCodes } from "./code-store.ts";
import { pendingActs, takeReceipt } from "./report.ts";

/** Where acts go on line: the joined server, or what a test puts there. */
export interface ActsReceiver {
  /** Gives the provider's receipt; throws ApiError when they are refused. */
  send(actsJws: string): Promise<{ readonly receiptJws: string }>;
}

export function serverReceiver(context: JoinedContext): ActsReceiver {
  return { send: (actsJws) => context.server.client.call("sendActs", { body: { actsJws } }) };
}

/**
 * Sends acts that no receipt covers, to the providers of this host's codes. What is refused is kept:
 * the provider may be elsewhere, and take them as a file. Throws at the end when anything was.
 */
export async function sendActsOnce(
  context: JoinedContext,
  receiver: ActsReceiver = serverReceiver(context),
): Promise<void> {
  const providers = new Set(listCodes(context.db).map(({ code }) => code.iss));
  let first: Error | null = null;
  for (const providerId of providers) {
    first ??= await sendTo(context, receiver, providerId);
  }
  if (first !== null) throw first;
}

async function sendTo(
  context: JoinedContext,
  receiver: ActsReceiver,
  providerId: PartyId,
): Promise<Error | null> {
  for (const { batchId, jws } of pendingActs(context, providerId)) {
    try {
      const { receiptJws } = await receiver.send(jws);
      const taken = takeReceipt(context, signerOf(receiptJws) ?? providerId, receiptJws);
      if (taken instanceof Refusal) return taken;
    } catch (error) {
      const isRefusal = error instanceof ApiError && error.httpStatus < 500;
      if (!isRefusal || error.code === "not-authenticated") throw error;
      const fields = { batchId, providerId, code: error.code, reason: error.message };
      context.log.warn(fields, "the server refused acts; they are kept, for a file");
      return error;
    }
  }
  return null;
}

/** A server with several providers answers for the one whose host this is. */
function signerOf(receiptJws: string): PartyId | null {
  const claimed = claimedPayload(receiptJws) as { iss?: unknown } | null | undefined;
  const iss = typeof claimed?.iss === "string" ? claimed.iss : "";
  return isId("party", iss) ? iss : null;
}
