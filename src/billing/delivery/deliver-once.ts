import type { Database } from "../../database/connect.ts";
import { transaction } from "../../database/transaction.ts";
import { BACKOFF, backoffMs } from "../../process/backoff.ts";
import type { BillId, PartyId } from "../../unit/id.ts";
import { cutReply, type DeliveredBill, type Delivery, type Outcome } from "./delivery.ts";
import { type Mailer, sendMail } from "./mail.ts";
import { type Claimed, claimDelivery, recordAttempt, type Settlement } from "./store.ts";
import { closeTarget, readSecrets } from "./target-store.ts";
import { sendWebhook } from "./webhook.ts";

export interface Delivering {
  readonly db: Database;
  /** How the server is called in what it sends. */
  readonly serverName: string;
  readonly readBill: (billId: BillId, partyId: PartyId) => Promise<DeliveredBill>;
  readonly allowPrivateWebhooks: boolean;
  /** Null: this server sends no mail. */
  readonly mailer: Mailer | null;
  readonly onAttempt: (kind: Delivery["target"]["kind"], outcome: Outcome["outcome"]) => void;
  /** For tests: between sending and recording. */
  readonly onSent?: () => Promise<void>;
}

/**
 * Sends what is due, one after the other; several of these run beside each other. A delivery is
 * claimed, sent, and then recorded: a crash in between repeats it under the same id when the claim
 * has run out. Returns how many it attempted.
 */
export async function deliverOnce(context: Delivering, clock: () => Date): Promise<number> {
  let attempted = 0;
  for (;;) {
    const claimed = await transaction(context.db, (tx) => claimDelivery(tx, clock()));
    if (claimed === null) return attempted;
    const outcome = await send(context, claimed.delivery, clock());
    await context.onSent?.();
    const now = clock();
    const settlement = settle(outcome, claimed, now);
    await transaction(context.db, async (tx) => {
      await recordAttempt(tx, claimed, { outcome, settlement, now });
      if (outcome.outcome === "failed" && outcome.next === "gone") {
        const why = "its receiver answered 410: it is gone";
        await closeTarget(tx, claimed.delivery.target.targetId, { why, removed: false, now });
      }
    });
    context.onAttempt(claimed.delivery.target.kind, outcome.outcome);
    attempted += 1;
  }
}

async function send(context: Delivering, delivery: Delivery, now: Date): Promise<Outcome> {
  const { deliveryId, target } = delivery;
  try {
    const bill = await context.readBill(delivery.billId, target.party.id);
    if (target.kind === "mail") {
      if (context.mailer === null) {
        return failed("this server sends no mail: its operator has to start it with --smtp");
      }
      const { serverName } = context;
      return await sendMail(context.mailer, { deliveryId, to: target.address, serverName, bill });
    }
    const secrets = await readSecrets(context.db.kysely, target.targetId, now);
    return await sendWebhook({
      ...{ deliveryId, url: target.address, secrets, bill, now },
      allowPrivate: context.allowPrivateWebhooks,
    });
  } catch (error) {
    // Whatever it was, it is this delivery's failure and keeps no other back.
    context.db.log.error({ deliveryId, err: error }, "a delivery could not be made");
    return failed("the server could not make this delivery; its log says why");
  }
}

function failed(reply: string): Outcome {
  return { outcome: "failed", status: null, reply, next: "retry" };
}

/** When the table of retries is at its end, so is the delivery, until a person repeats it. */
export function settle(
  outcome: Outcome,
  { attemptOfRound }: Pick<Claimed, "attemptOfRound">,
  now: Date,
  random = Math.random,
): Settlement {
  if (outcome.outcome === "delivered") return { state: "delivered" };
  const reply = cutReply(outcome.reply);
  if (outcome.next !== "retry") return { state: "failed", failure: `refused for good: ${reply}` };
  if (attemptOfRound >= BACKOFF.delivery.attempts) {
    return { state: "failed", failure: `after ${attemptOfRound} attempts: ${reply}` };
  }
  const waitMs = backoffMs(BACKOFF.delivery, attemptOfRound, random);
  return { state: "queued", dueAt: new Date(now.getTime() + waitMs) };
}
