import { writeFileSync } from "node:fs";
import { describeApi } from "../../src/api/openapi.ts";
import { createLog } from "../../src/process/log.ts";

/** Writes the committed description of the HTTP API anew. */
const description = await describeApi(createLog("json", "silent"));
const path = new URL("../../openapi.json", import.meta.url);
writeFileSync(path, `${JSON.stringify(description, null, 2)}\n`);
