import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { type ClonedDatabase, emptyDatabase } from "../setup/database.ts";
import { testLog } from "../setup/log.ts";

let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await emptyDatabase();
});
afterAll(() => clone.drop());

test("values arrive without losing a digit, a zone or an end", async () => {
  const { rows } = await clone.database.pool.query(`
    select 9007199254740993::int8 as int8, array[9007199254740993, null]::int8[] as int8s,
      123456789012345678901.5::numeric as numeric, array[0.1]::numeric[] as numerics,
      '2026-02-03'::date as date, '2026-02-03 04:05:06'::timestamp as timestamp,
      '2026-02-03 04:05:06.789+02'::timestamptz as timestamptz,
      tstzrange('2026-02-03 04:05+02', null) as range, count(*) as count`);
  expect(rows[0]).toEqual({
    int8: 9007199254740993n,
    int8s: [9007199254740993n, null],
    numeric: "123456789012345678901.5",
    numerics: ["0.1"],
    date: "2026-02-03",
    timestamp: "2026-02-03 04:05:06",
    timestamptz: new Date("2026-02-03T02:05:06.789Z"),
    range: '["2026-02-03 02:05:00+00",)',
    count: 1n,
  });
});

test("bigints and arrays of them go in as they come out", async () => {
  const most = 9223372036854775807n;
  const { rows } = await clone.database.pool.query("select $1::int8 as one, $2::int8[] as many", [
    most,
    [most, -most, 0n],
  ]);
  expect(rows[0]).toEqual({ one: most, many: [most, -most, 0n] });
});

test("the parsers are ours alone: another user of pg keeps its own", async () => {
  const { default: pg } = await import("pg");
  expect(pg.types.getTypeParser(20)("7")).toBe("7");
});

test("a database that is not there is refused with its own words, without waiting", async () => {
  const missing =
    "url" in clone.connection
      ? { url: clone.connection.url.replace(/\/[^/?]+$/, "/nothing_such") }
      : { ...clone.connection, database: "nothing_such" };
  await expect(connect({ connection: missing, log: testLog })).rejects.toThrow("nothing_such");
});

test("closing twice is closing once", async () => {
  const second = await connect({ connection: clone.connection, log: testLog });
  await Promise.all([second.close(), second.close()]);
  expect(second.pool.ended).toBe(true);
});
