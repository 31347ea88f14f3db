import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import type { TransactionId } from "../unit/id.ts";
import {
  accountIdOf,
  type Entry,
  findTransaction,
  type NewTransaction,
  post,
} from "./ledger-store.ts";

/** What a person posts under an id of its own making. */
export type GivenTransaction = Omit<NewTransaction, "cause" | "transactionId"> & {
  readonly transactionId: TransactionId;
};

/**
 * Whether it was posted before, with this content; the same id with other content is refused as
 * `cause-reused`. Asked first: what a repeat finds done must not be decided anew.
 */
export async function isPosted(tx: Kysely<DB>, given: GivenTransaction): Promise<boolean> {
  const { transactionId, kind, memo = "", reverses = null } = given;
  const found = await findTransaction(tx, transactionId);
  if (!found) return false;
  const same =
    found.kind === kind &&
    found.memo === memo &&
    found.reverses === reverses &&
    entriesText(found.entries) === entriesText(given.entries);
  if (!same) throw refusal("cause-reused", { cause: transactionId });
  return true;
}

/** Posts what `isPosted` has not found; under the lock that made both one. */
export async function postGiven(tx: Kysely<DB>, given: GivenTransaction): Promise<void> {
  const posted = await post(tx, { ...given, cause: given.transactionId });
  if (!posted && !(await isPosted(tx, given))) {
    throw refusal("cause-reused", { cause: given.transactionId });
  }
}

function entriesText(entries: readonly Entry[]): string {
  return entries
    .map(({ account, amountMicros }) => `${accountIdOf(account)} ${amountMicros}`)
    .sort()
    .join(", ");
}
