import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { transaction } from "../../src/database/transaction.ts";
import { type ClonedDatabase, emptyDatabase } from "../setup/database.ts";

let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await emptyDatabase();
  await clone.database.pool.query("create table purse (id int primary key, cents int8 not null)");
});
afterAll(() => clone.drop());
beforeEach(async () => {
  await clone.database.pool.query("truncate purse");
  await clone.database.pool.query("insert into purse values (1, 0), (2, 0)");
});

test("an exception rolls back and reaches the caller", async () => {
  const work = transaction(clone.database, async (tx) => {
    await sql`update purse set cents = 5`.execute(tx);
    throw new Error("changed my mind");
  });
  await expect(work).rejects.toThrow("changed my mind");
  expect(await cents()).toEqual([0n, 0n]);
});

test("serialisation conflicts are retried until every increment is there", async () => {
  const increment = () =>
    transaction(
      clone.database,
      async (tx) => {
        const read = await sql<{ cents: bigint }>`select cents from purse where id = 1`.execute(tx);
        const next = (read.rows[0]?.cents ?? 0n) + 1n;
        await sql`update purse set cents = ${next} where id = 1`.execute(tx);
      },
      "serializable",
    );
  await Promise.all([increment(), increment(), increment(), increment()]);
  expect(await cents()).toEqual([4n, 0n]);
});

test("a deadlock costs a retry, not a failure", async () => {
  const take = (first: number, second: number) =>
    transaction(clone.database, async (tx) => {
      await sql`update purse set cents = cents + 1 where id = ${first}`.execute(tx);
      await sql`select pg_sleep(0.1)`.execute(tx);
      await sql`update purse set cents = cents + 1 where id = ${second}`.execute(tx);
    });
  await Promise.all([take(1, 2), take(2, 1)]);
  expect(await cents()).toEqual([2n, 2n]);
});

test("a connection that is cut before the commit costs a retry, not a failure", async () => {
  let runs = 0;
  await transaction(clone.database, async (tx) => {
    runs += 1;
    await sql`update purse set cents = cents + 1`.execute(tx);
    if (runs > 1) return;
    const mine = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
    await clone.database.pool.query("select pg_terminate_backend($1)", [mine.rows[0]?.pid]);
    await sql`select 1`.execute(tx);
  });
  expect(runs).toBe(2);
  expect(await cents()).toEqual([1n, 1n]);
});

test("a connection that is cut at the commit is reported and not repeated", async () => {
  let runs = 0;
  const work = transaction(clone.database, async (tx) => {
    runs += 1;
    const mine = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
    const pid = mine.rows[0]?.pid;
    await clone.database.pool.query("select pg_terminate_backend($1, 5000)", [pid]);
  });
  await expect(work).rejects.toMatchObject({ code: "commit-unknown" });
  expect(runs).toBe(1);
});

test("a commit that a deferred constraint refuses gives its connection back", async () => {
  await clone.database.pool.query(`
    create table pair (id int unique deferrable initially deferred)`);
  for (let run = 0; run < 20; run += 1) {
    const work = transaction(clone.database, async (tx) => {
      await sql`insert into pair values (1), (1)`.execute(tx);
    });
    await expect(work).rejects.toMatchObject({ code: "23505" });
  }
  expect(clone.database.pool.idleCount).toBe(clone.database.pool.totalCount);
});

async function cents(): Promise<bigint[]> {
  const found = await clone.database.pool.query("select cents from purse order by id");
  return found.rows.map((row) => row.cents);
}
