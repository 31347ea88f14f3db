import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listen } from "../../src/database/listen.ts";
import { type ClonedDatabase, emptyDatabase } from "../setup/database.ts";

let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await emptyDatabase();
});
afterAll(() => clone.drop());

test("a listener hears its channels, and after a cut connects again and says so", async () => {
  const heard: string[] = [];
  const onReconnect = vi.fn();
  const listener = await listen(clone.database, ["lease", "Odd name"], {
    onNotification: (channel, payload) => heard.push(`${channel}: ${payload}`),
    onReconnect,
  });
  await clone.database.pool.query(`select pg_notify('lease', 'one'), pg_notify('Odd name', 'two')`);
  await expect.poll(() => heard).toEqual(["lease: one", "Odd name: two"]);

  await clone.database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and query like 'listen%'`,
  );
  await expect.poll(() => onReconnect.mock.calls.length, { timeout: 5_000 }).toBe(1);
  await clone.database.pool.query(`select pg_notify('lease', 'three')`);
  await expect.poll(() => heard.at(-1)).toBe("lease: three");

  await listener.close();
  const left = await clone.database.pool.query(
    `select from pg_stat_activity where datname = current_database() and query like 'listen%'
       and pid <> pg_backend_pid()`,
  );
  expect(left.rowCount).toBe(0);
  expect(onReconnect).toHaveBeenCalledTimes(1);
});
