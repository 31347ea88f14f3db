import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { SCHEMA_STEPS } from "../state/schema.ts";
import { CAPACITY_PROVIDERS_STEP } from "./schema.ts";

test("what an earlier agent had counted in a period goes on as its provider's, by its rule", () => {
  const db = new DatabaseSync(":memory:");
  const before = SCHEMA_STEPS.slice(0, SCHEMA_STEPS.indexOf(CAPACITY_PROVIDERS_STEP));
  for (const step of before) db.exec(step);
  db.exec(`
    INSERT INTO capacity_code (code_id, sha256, jws, code, accepted_at)
      VALUES ('code_1', 'x', 'x', '{"iss":"party_1"}', '2027-01-31');
    INSERT INTO capacity_service (service_id, provider_id, code_id, mode, resource, quantity,
        cores, state, wanted_at)
      VALUES ('service_1', 'party_1', 'code_1', 'shared', 'cpu', 1000, '[]', 'returned', '2027');
    INSERT INTO capacity_chain (chain_id, service_id, provider_id, partition_id, partition_name)
      VALUES ('chain_1', 'service_1', 'party_1', 'partition_1', 'p1'),
        ('chain_2', 'service_1', 'party_1', 'partition_1', 'p1');
    INSERT INTO capacity_period VALUES
      ('partition_1', 'a', 'b', '{"kind":"allowance","milliCoreNs":"7"}', '5', '0'),
      ('partition_1', 'b', 'c', '{"kind":"rate","cpuMilli":5,"intervalSeconds":60}', '9', '1');
    INSERT INTO capacity_threshold VALUES
      ('partition_1', 'c', '{"kind":"allowance","milliCoreNs":"3"}');
  `);
  db.exec(CAPACITY_PROVIDERS_STEP);
  const periods = db.prepare("SELECT provider_id, rule, used FROM capacity_period").all();
  expect(periods.map((row) => Object.values(row))).toEqual([
    ["party_1", "allowance", "5"],
    ["party_1", "rate 60", "9"],
  ]);
  const set = db.prepare("SELECT provider_id, from_at FROM capacity_threshold").all();
  expect(set.map((row) => Object.values(row))).toEqual([["party_1", "c"]]);
  db.close();
});
