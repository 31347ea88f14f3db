import type { ControlledTransaction, IsolationLevel, Kysely, Transaction } from "kysely";
import { BACKOFF, type Backoff } from "../process/backoff.ts";
import type { Database } from "./connect.ts";
import { errorFields, isConflict, isConnectionLost } from "./failure.ts";
import { retry } from "./retry.ts";
import type { DB } from "./types.ts";

export type Tx = Transaction<DB>;

/** The connection broke while COMMIT was on its way: only a look at the data tells what happened. */
export class CommitUnknownError extends Error {
  override readonly name = "CommitUnknownError";
  readonly code = "commit-unknown";
}

/**
 * Runs `work` in a transaction and commits; an exception rolls back. `work` may run several times:
 * after a conflict (40001, 40P01) and after a connection that broke before COMMIT was sent. So its
 * only effects must be in the database. Throws CommitUnknownError rather than doing it twice.
 */
export async function transaction<T>(
  db: Pick<Database, "kysely" | "log">,
  work: (tx: Tx) => Promise<T>,
  isolation: IsolationLevel = "read committed",
): Promise<T> {
  return retry(backoffFor, () => once(db, work, isolation));
}

function backoffFor(error: unknown): Backoff | undefined {
  if (error instanceof CommitUnknownError) return undefined;
  if (isConflict(error)) return BACKOFF.transaction;
  return isConnectionLost(error) ? BACKOFF.connect : undefined;
}

async function once<T>(
  db: Pick<Database, "kysely" | "log">,
  work: (tx: Tx) => Promise<T>,
  isolation: IsolationLevel,
): Promise<T> {
  const kysely: Kysely<DB> = db.kysely;
  const tx = await kysely.startTransaction().setIsolationLevel(isolation).execute();
  let result: T;
  try {
    result = await work(tx);
  } catch (error) {
    await undo(db, tx);
    throw error;
  }
  try {
    await tx.commit().execute();
    return result;
  } catch (error) {
    // Kysely keeps the connection after a commit that failed; a rollback gives it back.
    await undo(db, tx);
    if (!isConnectionLost(error)) throw error;
    throw new CommitUnknownError("The database connection broke during a commit.", {
      cause: error,
    });
  }
}

async function undo(db: Pick<Database, "log">, tx: ControlledTransaction<DB>): Promise<void> {
  try {
    await tx.rollback().execute();
  } catch (error) {
    // The connection is gone, and the transaction with it.
    db.log.warn(errorFields(error), "a rollback did not reach the database");
  }
}
