import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MigrationError } from "./migration-error.ts";

export interface MigrationFile {
  readonly number: number;
  /** Without `.sql`, such as `0001_parties`. */
  readonly name: string;
  readonly sha256: string;
  readonly sql: string;
}

/** The migrations of a folder in order; refuses gaps, doubles and names of another form. */
export function readMigrations(folder: string | URL): MigrationFile[] {
  const path = folder instanceof URL ? fileURLToPath(folder) : folder;
  const names = readdirSync(path).filter((name) => name.endsWith(".sql"));
  return names.sort().map((fileName, index) => {
    const number = index + 1;
    if (!/^\d{4}_[a-z0-9_]+\.sql$/.test(fileName) || Number(fileName.slice(0, 4)) !== number) {
      throw new MigrationError(
        "migrations-misnumbered",
        `The migration ${fileName} should be numbered ${String(number).padStart(4, "0")}_.`,
      );
    }
    const sql = readFileSync(join(path, fileName), "utf8");
    const sha256 = createHash("sha256").update(sql).digest("hex");
    return { number, name: fileName.slice(0, -".sql".length), sha256, sql };
  });
}
