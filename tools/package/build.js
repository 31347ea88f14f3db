import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `npm pack` runs this, on whatever Node npm has.
 *
 * Compiles what is published into `dist/`: Node strips no types under `node_modules`. The tree below
 * is that of the clone, so that whatever the program finds beside itself is where it was.
 */
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIST = join(ROOT, "dist");

/** What the compiler leaves out. */
const DATA = [
  "src/cli/job/job.sh",
  "src/database/migrations",
  "tools/small-linux/guest",
  "tools/debian-12/guest",
  "tools/debian-12/before-packages",
  "tools/debian-12/after-packages",
];

const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
if (!existsSync(compiler)) {
  process.stderr.write("the compiler is not installed; type `npm ci`, then this again\n");
  process.exit(1);
}
rmSync(DIST, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.package.json"], {
  cwd: ROOT,
  stdio: ["ignore", "inherit", "inherit"],
});
if (status !== 0) process.exit(1);
for (const path of DATA) cpSync(join(ROOT, path), join(DIST, path), { recursive: true });
const { name, version, type } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
writeFileSync(join(DIST, "package.json"), `${JSON.stringify({ name, version, type })}\n`);
