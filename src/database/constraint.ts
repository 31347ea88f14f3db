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
