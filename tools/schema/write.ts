import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dumpSchema } from "../../src/database/dump.ts";
import type { EmbeddedConnection } from "../../src/database/embedded.ts";
import { withFreshDatabase } from "../../src/database/fresh.ts";

/** As the pool's own parser gives it. */
const INT8 = "export type Int8 = ColumnType<bigint, bigint | number, bigint | number>;";

/** After adding a migration: writes the committed schema dump and the types of its rows anew. */
const folder = fileURLToPath(new URL("../../src/database/", import.meta.url));
await withFreshDatabase(async (db, connection) => {
  writeFileSync(join(folder, "schema.sql"), await dumpSchema(db));
  writeFileSync(join(folder, "types.ts"), generateTypes(connection));
});
const require = createRequire(import.meta.url);
const biome = join(dirname(require.resolve("@biomejs/biome/package.json")), "bin", "biome");
execFileSync(process.execPath, [biome, "check", "--write", join(folder, "types.ts")]);

function generateTypes(connection: EmbeddedConnection): string {
  const temporary = mkdtempSync(join(tmpdir(), "sublet-types-"));
  try {
    const output = join(temporary, "types.ts");
    const { user, port, database, host } = connection;
    const url = `postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
    const codegen = createRequire(import.meta.url).resolve("kysely-codegen");
    const program = join(codegen.slice(0, codegen.lastIndexOf("dist")), "dist", "cli", "bin.js");
    execFileSync(process.execPath, [
      ...[program, "--dialect", "postgres", "--url", url, "--out-file", output],
      ...["--camel-case", "--type-only-imports", "--numeric-parser", "string"],
      ...["--exclude-pattern", "migration"],
    ]);
    return readFileSync(output, "utf8")
      .replace(/^export type Int8 = .*$/m, INT8)
      .replace(
        /^ \* This file was generated.*$/m,
        " * Made from the migrated schema by `npm run schema`.",
      );
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
