import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { connect, type Database } from "../../src/database/connect.ts";
import { type EmbeddedConnection, startEmbeddedPostgres } from "../../src/database/embedded.ts";
import { transaction } from "../../src/database/transaction.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { hold, isAlive, spawnHolder } from "./embedded-holder.ts";

const temp = makeTempFolder("crash");
afterAll(() => temp.remove());

test("after kill -9 PostgreSQL is started again and the same pool goes on with every row", async () => {
  const server = await startEmbeddedPostgres({ dataFolder: join(temp.path, "a"), log: testLog });
  const db = await connect({ connection: server.connection, log: testLog });
  const acknowledged = await writeWhile(db, async () => {
    for (let kill = 0; kill < 2; kill += 1) {
      const { pid } = server;
      await sleep(200);
      process.kill(pid, "SIGKILL");
      await expect.poll(() => server.pid !== pid, { timeout: 10_000 }).toBe(true);
    }
    // The pool serves without being told of anything.
    await transaction(db, (tx) => tx.selectNoFrom((eb) => eb.val(1).as("one")).execute());
  });
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(await missingOf(db, acknowledged)).toEqual([]);
  await db.close();
  await server.stop();
});

test("kill -9 of its parent ends PostgreSQL within 2 s, and the next start has every row", async () => {
  const folder = join(temp.path, "b");
  const holder = await hold(folder);
  const { connection, postgresPid } = holder.ready ?? failed(holder.refusal);
  const acknowledged = await writeUntilGone(connection, () => holder.kill());
  await expect.poll(() => isAlive(postgresPid), { timeout: 2_000 }).toBe(false);
  await expectAllThere(folder, acknowledged);
});

test("kill -9 of PostgreSQL and its parent together loses no acknowledged row", async () => {
  const folder = join(temp.path, "b");
  const holder = await hold(folder);
  const { connection, postgresPid } = holder.ready ?? failed(holder.refusal);
  const acknowledged = await writeUntilGone(connection, async () => {
    process.kill(postgresPid, "SIGKILL");
    await holder.kill();
  });
  await expectAllThere(folder, acknowledged);
});

test("a start right after a kill waits for the dying PostgreSQL instead of refusing", async () => {
  const folder = join(temp.path, "b");
  const holder = await hold(folder);
  expect(holder.ready).toBeDefined();
  holder.child.kill("SIGKILL");
  const next = await hold(folder);
  expect(next.ready).toBeDefined();
  await next.end();
});

test("an initdb that was killed half-way is done again", async () => {
  const folder = join(temp.path, "c");
  const child = spawnHolder(folder);
  await expect.poll(() => existsSync(join(folder, "initializing", "postgres", "base"))).toBe(true);
  child.kill("SIGKILL");
  const holder = await hold(folder);
  expect(holder.refusal).toBeUndefined();
  expect(existsSync(join(folder, "initializing"))).toBe(false);
  await holder.end();
});

test("a left-over pid file that names a live process of someone else does not matter", async () => {
  const folder = join(temp.path, "d");
  const first = await hold(folder);
  const path = join(folder, "postgres", "postmaster.pid");
  const pidFile = readFileSync(path, "utf8").split("\n");
  await first.end();
  writeFileSync(path, [String(process.pid), ...pidFile.slice(1)].join("\n"), { mode: 0o600 });
  const second = await hold(folder);
  expect(second.refusal).toBeUndefined();
  await second.end();
});

test("a lock file with a name in it but no living holder does not matter", async () => {
  const folder = join(temp.path, "e");
  mkdirSync(folder);
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.pid, start: "1" }));
  const holder = await hold(folder);
  expect(holder.refusal).toBeUndefined();
  await holder.end();
});

/** Inserts 1, 2, 3 … while `disturb` runs; returns the numbers whose commit was acknowledged. */
async function writeWhile(db: Database, disturb: () => Promise<void>): Promise<number[]> {
  await db.pool.query("create table if not exists written (n int)");
  await db.pool.query("truncate written");
  const acknowledged: number[] = [];
  let isOver = false;
  const writing = (async () => {
    for (let n = 1; !isOver; n += 1) {
      const insert = db.pool.query("insert into written values ($1)", [n]);
      const isDone = await insert.then(
        () => true,
        () => false,
      );
      if (isDone) acknowledged.push(n);
      else await sleep(5);
    }
  })();
  await disturb();
  isOver = true;
  await writing;
  return acknowledged;
}

async function writeUntilGone(
  connection: EmbeddedConnection,
  kill: () => Promise<void>,
): Promise<number[]> {
  const db = await connect({ connection, log: testLog });
  const acknowledged = await writeWhile(db, async () => {
    await sleep(200);
    await kill();
  });
  await db.close();
  expect(acknowledged.length).toBeGreaterThan(5);
  return acknowledged;
}

async function expectAllThere(dataFolder: string, acknowledged: number[]): Promise<void> {
  const server = await startEmbeddedPostgres({ dataFolder, log: testLog });
  const db = await connect({ connection: server.connection, log: testLog });
  expect(await missingOf(db, acknowledged)).toEqual([]);
  await db.close();
  await server.stop();
}

async function missingOf(db: Database, acknowledged: number[]): Promise<unknown[]> {
  const found = await db.pool.query(
    "select n from unnest($1::int[]) as a(n) except select n from written",
    [acknowledged],
  );
  return found.rows;
}

function failed(refusal: unknown): never {
  throw new Error(JSON.stringify(refusal));
}
