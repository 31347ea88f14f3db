import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dumpSchema } from "../../src/database/dump.ts";
import { type ClonedDatabase, cloneDatabase } from "../setup/database.ts";

let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await cloneDatabase();
});
afterAll(() => clone.drop());

test("the committed schema is what the migrations make (else: npm run schema)", async () => {
  const committed = readFileSync(new URL("../../src/database/schema.sql", import.meta.url), "utf8");
  expect(await dumpSchema(clone.database)).toBe(committed);
});

test("a dump shows every kind of thing that a migration can make", async () => {
  await clone.database.pool.query(`
    create type colour as enum ('red', 'green');
    create domain small as integer default 1 not null check (value < 10);
    create sequence counter start 5;
    create table dumped (
      id bigint generated always as identity primary key,
      colour colour not null default 'red',
      size small,
      twice integer generated always as (size * 2) stored,
      during tstzrange not null,
      exclude using gist (during with &&)
    );
    comment on column dumped.size is 'in units';
    create index dumped_size on dumped (size) where colour = 'red';
    create view dumped_red as select id from dumped where colour = 'red';`);
  const dump = await dumpSchema(clone.database);
  for (const part of [
    "create type colour as enum (\n  'red',\n  'green'\n);",
    "create domain small as integer default 1 not null\n  constraint small_check CHECK ((VALUE < 10));",
    "create sequence counter as bigint start 5",
    "id bigint generated always as identity not null",
    "colour colour default 'red'::colour not null",
    "twice integer generated always as (((size)::integer * 2)) stored",
    "constraint dumped_during_excl EXCLUDE USING gist (during WITH &&)",
    "comment on column dumped.size is 'in units';",
    "CREATE INDEX dumped_size ON public.dumped USING btree (size) WHERE (colour = 'red'::colour);",
    "create view dumped_red as",
  ]) {
    expect(dump).toContain(part);
  }
});
