import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { contract } from "../../src/api/contract/contract.ts";
import { describeApi } from "../../src/api/openapi.ts";
import { createLog } from "../../src/process/log.ts";

test("the committed openapi.json is what the schemas say (else: npm run schema)", async () => {
  const committed = readFileSync(new URL("../../openapi.json", import.meta.url), "utf8");
  const made: unknown = JSON.parse(JSON.stringify(await describeApi(createLog("json", "silent"))));
  expect(made).toEqual(JSON.parse(committed));
  for (const name of Object.keys(contract)) expect(committed).toContain(`"${name}"`);
});
