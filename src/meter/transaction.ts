import type { DatabaseSync } from "node:sqlite";

/** All of `work` or none of it. Inside a transaction of the caller's it becomes a part of that. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  const [begin, commit, rollback] = db.isTransaction
    ? ["SAVEPOINT spool", "RELEASE spool", "ROLLBACK TO spool; RELEASE spool"]
    : ["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"];
  db.exec(begin);
  try {
    const result = work();
    db.exec(commit);
    return result;
  } catch (error) {
    // A failed COMMIT may have ended the transaction by itself.
    if (db.isTransaction) db.exec(rollback);
    throw error;
  }
}
