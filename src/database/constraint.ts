import { type Kysely, sql } from "kysely";
import type { DB } from "./types.ts";

/** What the database checks at commit, it says now, while it can still be told by name. */
export async function checkConstraints(tx: Kysely<DB>): Promise<void> {
  await sql`set constraints all immediate`.execute(tx);
}

/** The name of the constraint or guard that the database refused by, or undefined for other errors. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("constraint" in error)) return undefined;
  return typeof error.constraint === "string" ? error.constraint : undefined;
}

/**
 * What `work` writes stays when it and all that the database checks of it succeed; otherwise it is
 * as if it had never begun, and the transaction can go on with something else. Throws what it threw.
 */
export async function attempt<T>(tx: Kysely<DB>, work: () => Promise<T>): Promise<T> {
  await sql`savepoint attempt`.execute(tx);
  try {
    const result = await work();
    await checkConstraints(tx);
    await sql`release savepoint attempt`.execute(tx);
    return result;
  } catch (error) {
    await sql`rollback to savepoint attempt`.execute(tx);
    throw error;
  }
}
