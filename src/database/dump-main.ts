import { writeFileSync } from "node:fs";
import { dumpFreshSchema } from "./dump-fresh.ts";

/** Writes the committed dump anew: `node src/database/dump-main.ts`, after adding a migration. */
writeFileSync(new URL("./schema.sql", import.meta.url), await dumpFreshSchema());
