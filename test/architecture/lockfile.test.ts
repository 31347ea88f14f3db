import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Package {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lockfile = JSON.parse(
  readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"),
) as { packages: Record<string, Package> };
const manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as Record<string, Record<string, string> | undefined>;

test("the lockfile names no download address", () => {
  const named = Object.entries(lockfile.packages).filter(([, entry]) => entry.resolved);
  expect(named).toEqual([]);
});

test("the lockfile names every optional package of every platform, or npm ci refuses it", () => {
  for (const [path, entry] of Object.entries(lockfile.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
      expect(
        places.some((place) => lockfile.packages[place]),
        `${name} of ${path || "this package"}`,
      ).toBe(true);
    }
  }
});

test("every dependency is pinned to one version", () => {
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  }
});
