import { transaction } from "../../database/transaction.ts";
import { readClaimNumber } from "../../enablement/capacity/claim-number.ts";
import {
  countClaimAttempts,
  insertClaimAttempt,
  lockClaim,
  markClaimed,
} from "../../enablement/capacity/code-store.ts";
import { keySha256 } from "../../party/key.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";

/**
 * Wrong numbers in this time, from one address and from everywhere. A number has 80 random bits: at
 * a thousand a minute the first right guess among a million numbers out takes a billion years.
 */
const ATTEMPTS_WITHIN_MS = 60_000;
const ATTEMPTS_MAX = { fromAddress: 10, all: 1000 };

export const claimCode: Handler<"claimCode"> = async ({ db, clock }, { body, address = "" }) => {
  const now = clock.now();
  const read = readClaimNumber(body.number);
  // Mistyped, so no guess: its check characters say so, and it is counted for nobody.
  if (!read.ok) throw refusal("claim-mistyped", { message: read.message });
  const since = new Date(now.getTime() - ATTEMPTS_WITHIN_MS);
  const attempts = await countClaimAttempts(db.kysely, address, since);
  if (attempts.fromAddress >= ATTEMPTS_MAX.fromAddress || attempts.all >= ATTEMPTS_MAX.all) {
    throw refusal("claims-too-many", { seconds: ATTEMPTS_WITHIN_MS / 1000 });
  }
  const bySha256 = keySha256(body.claimant);
  const claimed = await transaction(db, async (tx) => {
    const found = await lockClaim(tx, keySha256(read.number));
    if (!found) return null;
    if (found.claimedBySha256 !== null) {
      if (found.claimedBySha256.equals(bySha256)) return found;
      throw refusal("claim-used", { codeId: found.codeId });
    }
    if (found.claimExpiresAt === null || found.claimExpiresAt <= now) {
      throw refusal("claim-expired", { codeId: found.codeId });
    }
    await markClaimed(tx, found.codeId, { bySha256, now });
    return found;
  });
  if (claimed !== null) return { codeId: claimed.codeId, codeJws: claimed.jws };
  await insertClaimAttempt(db.kysely, { address, now, forgetBefore: since });
  throw refusal("claim-unknown", {});
};
