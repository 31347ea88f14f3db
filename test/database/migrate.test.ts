import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { migrate } from "../../src/database/migrate.ts";
import { type ClonedDatabase, emptyDatabase } from "../setup/database.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

const temp = makeTempFolder("migrations");
afterAll(() => temp.remove());

let clone: ClonedDatabase;
let folder: string;

beforeEach(async () => {
  folder = join(temp.path, crypto.randomUUID());
  mkdirSync(folder);
  write("0001_tree.sql", "create table tree (name text); insert into tree values ('oak');");
  write("0002_leaf.sql", "create table leaf (name text);");
  clone = await emptyDatabase();
});
afterEach(() => clone.drop());

test("migrations are applied in order and only once", async () => {
  expect(await migrate(clone.database, { folder })).toEqual(["0001_tree", "0002_leaf"]);
  expect(await migrate(clone.database, { folder })).toEqual([]);
  write("0003_twig.sql", "alter table leaf add twig text;");
  expect(await migrate(clone.database, { folder })).toEqual(["0003_twig"]);
});

test("two servers that start at once apply each migration once", async () => {
  write("0003_slow.sql", "select pg_sleep(0.3); insert into tree values ('ash');");
  const second = await connect({ connection: clone.connection, log: testLog });
  const applied = await Promise.all([
    migrate(clone.database, { folder }),
    migrate(second, { folder }),
    migrate(second, { folder }),
  ]);
  await second.close();
  expect(applied.flat()).toEqual(["0001_tree", "0002_leaf", "0003_slow"]);
  const trees = await clone.database.pool.query("select name from tree order by name");
  expect(trees.rows).toEqual([{ name: "ash" }, { name: "oak" }]);
});

test("a migration that was altered after it was applied is refused by name", async () => {
  await migrate(clone.database, { folder });
  write("0001_tree.sql", "create table tree (name text not null);");
  await expect(migrate(clone.database, { folder })).rejects.toMatchObject({
    code: "migration-altered",
    message: expect.stringContaining("0001_tree"),
  });
});

test("a database that a newer version migrated is refused and the way out is told", async () => {
  write("0003_twig.sql", "create table twig (name text);");
  await migrate(clone.database, { folder });
  rmSync(join(folder, "0003_twig.sql"));
  await expect(migrate(clone.database, { folder })).rejects.toMatchObject({
    code: "database-newer",
    message: expect.stringMatching(/0003_twig.*upgrade this server/),
  });
});

test("a migration that fails leaves nothing behind, and the ones before it stay", async () => {
  write("0003_bad.sql", "create table twig (name text);\n\nselect nothing_such();\n");
  await expect(migrate(clone.database, { folder })).rejects.toMatchObject({
    code: "migration-failed",
    message: expect.stringMatching(/0003_bad.*line 3.*nothing_such/),
  });
  const tables = await clone.database.pool.query(
    "select to_regclass('twig') as twig, to_regclass('leaf')::text as leaf",
  );
  expect(tables.rows).toEqual([{ twig: null, leaf: "leaf" }]);
  write("0003_bad.sql", "create table twig (name text);");
  expect(await migrate(clone.database, { folder })).toEqual(["0003_bad"]);
});

test("migrations with a gap in their numbers are refused", async () => {
  write("0004_twig.sql", "create table twig (name text);");
  await expect(migrate(clone.database, { folder })).rejects.toMatchObject({
    code: "migrations-misnumbered",
  });
});

test("a server older than 15 is refused by name", async () => {
  const pool = {
    connect: () =>
      Promise.resolve({
        query: () => Promise.resolve({ rows: [{ number: 140_012, version: "14.12" }] }),
        release: () => undefined,
      }),
  };
  const old = { pool: pool as unknown as typeof clone.database.pool, log: testLog };
  await expect(migrate(old, { folder })).rejects.toMatchObject({
    code: "server-too-old",
    message: expect.stringContaining("14.12"),
  });
});

function write(name: string, sql: string): void {
  writeFileSync(join(folder, name), sql);
}
