import type pg from "pg";

/** A backup of everything, inside the database itself; taking another replaces it. */
export async function takeBackup(pool: pg.Pool): Promise<void> {
  await pool.query("drop schema if exists backup cascade; create schema backup");
  for (const table of await tablesOf(pool)) {
    await pool.query(`create table backup.${table} as select * from public.${table}`);
  }
}

/**
 * The database as it was at the backup. Around all triggers, as a restore is: they would rightly
 * refuse it. Signing keys, parties and their keys are among what comes back.
 */
export async function restoreBackup(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    const tables = await tablesOf(pool);
    await client.query("begin; set local session_replication_role = replica");
    await client.query(`truncate ${tables.map((table) => `public.${table}`).join(", ")}`);
    for (const table of tables) {
      await client.query(
        `insert into public.${table} overriding system value select * from backup.${table}`,
      );
    }
    await client.query("commit");
  } finally {
    client.release();
  }
}

async function tablesOf(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'public' order by 1",
  );
  return rows.map(({ name }) => name);
}
