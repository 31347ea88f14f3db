import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listFees } from "../../src/billing/fee-store.ts";
import { migrate } from "../../src/database/migrate.ts";
import { type ClonedDatabase, emptyDatabase } from "../setup/database.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

const MIGRATIONS = fileURLToPath(new URL("../../src/database/migrations/", import.meta.url));
const folder = makeTempFolder("accounts-migration");
let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await emptyDatabase();
});
afterAll(async () => {
  await clone.drop();
  folder.remove();
});

test("a server from before keeps its fee, and its deposits are as they were", async () => {
  const names = readdirSync(MIGRATIONS).sort();
  const before = join(folder.path, "before");
  mkdirSync(before);
  for (const name of names.slice(
    0,
    names.findIndex((one) => one.endsWith("_accounts.sql")),
  )) {
    copyFileSync(join(MIGRATIONS, name), join(before, name));
  }
  await migrate(clone.database, { folder: before });
  await clone.database.pool.query(`
    insert into setting values (true, 'server-1', 'EUR', 2, 'UTC', 25000, now());
    insert into party values ('party_a', 'acme', '{client}', 0, now());
    insert into account values ('funds:party_a', 'party_a', 'funds');
    begin;
    insert into ledger_transaction values ('transaction_a', 'deposit', 'transaction_a', now());
    insert into ledger_entry values
      ('transaction_a', 'cash', -1), ('transaction_a', 'funds:party_a', 1);
    commit;`);
  await migrate(clone.database);
  expect(await listFees(clone.database.kysely)).toMatchObject([{ lender: null, feePpm: 25_000 }]);
  const { rows } = await clone.database.pool.query(
    "select kind, memo, reverses from ledger_transaction",
  );
  expect(rows).toEqual([{ kind: "deposit", memo: "", reverses: null }]);
});
