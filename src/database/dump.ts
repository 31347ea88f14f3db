import type { Database } from "./connect.ts";
import { DUMP_QUERIES } from "./dump-queries.ts";

/**
 * The schema `public` as text that is the same for the same schema, whatever the order of creation
 * and whichever PostgreSQL from 15 on. It is for reading and comparing, not for restoring.
 */
export async function dumpSchema(db: Pick<Database, "pool">): Promise<string> {
  const client = await db.pool.connect();
  try {
    await client.query("begin isolation level repeatable read read only");
    // Names of our own schema are printed without it; the catalogue's functions go by this.
    await client.query("set local search_path = public");
    const sections: string[] = [];
    for (const [title, query] of Object.entries(DUMP_QUERIES)) {
      const found = await client.query<{ text: string }>(query);
      if (found.rows.length === 0) continue;
      sections.push(`-- ${title}\n\n${found.rows.map((row) => row.text).join("\n")}\n`);
    }
    await client.query("commit");
    return `${HEADER}\n${sections.join("\n")}`;
  } finally {
    // Closed, not given back: a failed query leaves its transaction open.
    client.release(true);
  }
}

const HEADER = `-- The schema that the migrations make, written by: npm run schema
-- A test compares this file with a fresh one, so that a change of the schema is a readable diff.
`;
