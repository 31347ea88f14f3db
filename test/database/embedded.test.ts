import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { connect } from "../../src/database/connect.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/database/embedded.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { hold, isAlive } from "./embedded-holder.ts";

const temp = makeTempFolder("embedded");
afterAll(() => temp.remove());

test("what was written is there after a stop and a start, and a stop leaves no process", async () => {
  const dataFolder = join(temp.path, "plain");
  const first = await start(dataFolder);
  await query(first, "create table kept as select 7 as n");
  const { pid } = first;
  await Promise.all([first.stop(), first.stop()]);
  expect(isAlive(pid)).toBe(false);

  const second = await start(dataFolder);
  expect(await query(second, "select n from kept")).toEqual([{ n: 7 }]);
  await second.stop();
});

test("nobody else can reach the socket, and there is no network port", async () => {
  const server = await start(join(temp.path, "plain"));
  expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
  expect(statSync(join(temp.path, "plain")).mode & 0o007).toBe(0);
  expect(await query(server, "show listen_addresses")).toEqual([{ listen_addresses: "" }]);
  await server.stop();
});

test("what is acknowledged is on the disk: the settings say so", async () => {
  const server = await start(join(temp.path, "plain"));
  const settings = "fsync synchronous_commit full_page_writes data_checksums TimeZone".split(" ");
  const found = await query(
    server,
    `select array_agg(current_setting(name) order by ord) as "values"
     from unnest(array[${settings.map((name) => `'${name}'`).join()}]) with ordinality as s(name, ord)`,
  );
  expect(found).toEqual([{ values: ["on", "on", "on", "on", "UTC"] }]);
  await server.stop();
});

test("a second opener of a data folder is refused and told who holds it", async () => {
  const dataFolder = join(temp.path, "plain");
  const server = await start(dataFolder);
  await expect(start(dataFolder)).rejects.toMatchObject({
    code: "data-folder-in-use",
    message: expect.stringContaining(`process ${process.pid}`),
  });
  const other = await hold(dataFolder);
  expect(other.refusal).toMatchObject({
    code: "data-folder-in-use",
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await other.end();
  expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
  await server.stop();
});

test("of two that open a new data folder at once, one serves and the other is refused", async () => {
  const dataFolder = join(temp.path, "contended");
  const holders = await Promise.all([hold(dataFolder), hold(dataFolder)]);
  const [winner, loser] = holders[0].ready ? holders : [holders[1], holders[0]];
  expect(winner?.ready).toBeDefined();
  expect(loser?.refusal).toMatchObject({
    code: "data-folder-in-use",
    message: expect.stringContaining(`process ${winner?.pid}`),
  });
  await Promise.all(holders.map((holder) => holder.end()));
});

test("a data folder whose path is too long for a socket works and leaves nothing in /tmp", async () => {
  const server = await start(join(temp.path, "long".repeat(40)));
  expect(server.connection.host.length).toBeLessThan(94);
  expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
  await server.stop();
  expect(() => statSync(server.connection.host)).toThrow("ENOENT");
});

test("data of another PostgreSQL version is refused by name", async () => {
  const cluster = join(temp.path, "old", "postgres");
  mkdirSync(cluster, { recursive: true });
  writeFileSync(join(cluster, "PG_VERSION"), "17\n");
  await expect(start(join(temp.path, "old"))).rejects.toMatchObject({
    code: "data-folder-of-other-version",
    message: expect.stringContaining("PostgreSQL 17"),
  });
});

function start(dataFolder: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataFolder, log: testLog });
}

async function query(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const db = await connect({ connection: server.connection, log: testLog });
  const { rows } = await db.pool.query(sql);
  await db.close();
  return rows;
}
