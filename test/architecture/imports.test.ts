import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../../src/", import.meta.url));

/** The stages of the mission, in the order in which they may import: earlier ones only. */
const STAGES = [
  ["unit", "process"],
  ["signature", "refusal", "database", "tunnel"],
  ["party"],
  ["host"],
  ["image"],
  ["market"],
  ["lease"],
  ["enablement"],
  ["partition"],
  ["meter"],
  ["rating"],
  ["billing"],
  ["api"],
  ["server", "agent"],
  ["cli"],
];
const LEVEL = new Map(STAGES.flatMap((names, level) => names.map((name) => [name, level])));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly dynamic: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
);
const sources = new Map(files.map((path) => [path, readFileSync(join(SRC, path), "utf8")]));
const imports = [...sources].flatMap(([from, text]) => importsOf(from, text));

function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  for (const [, dynamic, path = ""] of text.matchAll(
    /(?:from\s+|(import)\(\s*|import\s+)"(\.{1,2}\/[^"]+)"/g,
  )) {
    const to = relative(SRC, resolve(SRC, dirname(from), path));
    found.push({ from, to, dynamic: dynamic !== undefined });
  }
  return found;
}

const stageOf = (path: string) => path.split("/")[0] ?? "";
const isTest = (path: string) => /\.test\.ts$|\.fixture\.ts$/.test(path);

test("every folder of the source has its place in the order of imports", () => {
  for (const path of files) expect(LEVEL.has(stageOf(path)), path).toBe(true);
});

test("a stage imports earlier stages only", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (isTest(from) || to.startsWith("..")) return false;
    const [a, b] = [LEVEL.get(stageOf(from)), LEVEL.get(stageOf(to))];
    return stageOf(from) !== stageOf(to) && (a === undefined || b === undefined || b >= a);
  });
  expect(wrong).toEqual([]);
});

test("the command line knows the server by its contract alone", () => {
  const allowed =
    /^(cli|unit|refusal|signature|tunnel|api\/contract|api\/client|billing\/verify)\/|^billing\/bill\.ts$/;
  // Papers that are read and checked where they are, with no server: their shapes, and pure rules.
  const papers =
    /^enablement\/capacity\/(act|billing-period|card|claim-number|code|consent|report-file|resource|terms|trust)\.ts$/;
  const wrong = imports.filter(
    ({ from, to, dynamic }) =>
      stageOf(from) === "cli" &&
      !isTest(from) &&
      !allowed.test(to) &&
      !papers.test(to) &&
      // The processes themselves are started by their verbs; the demo also cleans up after them.
      !(
        dynamic &&
        /^(server|agent)\/main\.ts$|^server\/backup\/(back-up|restore)\.ts$|^process\/log\.ts$|^agent\/socket-client\.ts$|^image\/(manifest|disk-header)\.ts$/.test(
          to,
        )
      ) &&
      !(from.startsWith("cli/demo/") && /^partition\/|^\.\.\/tools\//.test(to)) &&
      !isTypeOnly(from, to),
  );
  expect(wrong).toEqual([]);
});

function isTypeOnly(from: string, to: string): boolean {
  const name = to.split("/").at(-1) ?? "";
  const lines = (sources.get(from) ?? "").match(new RegExp(`import [^;]*${name}"`, "gs")) ?? [];
  return lines.length > 0 && lines.every((line) => line.startsWith("import type"));
}

test("only stores and the database folder know SQL", () => {
  const wrong = [...sources].filter(
    ([path, text]) =>
      stageOf(path) !== "database" &&
      !/(^|[-/])store\.ts$/.test(path) &&
      !isTest(path) &&
      /\bsql`|\.(selectFrom|insertInto|updateTable|deleteFrom)\(/.test(text),
  );
  expect(wrong.map(([path]) => path)).toEqual([]);
});

test("only drivers, the database's supervisor, the agent and the command line start processes", () => {
  const wrong = [...sources].filter(
    ([path, text]) =>
      !["partition", "database", "agent", "cli"].includes(stageOf(path)) &&
      text.includes("node:child_process"),
  );
  expect(wrong.map(([path]) => path)).toEqual([]);
});

test("there are no drawers, no barrels, and no file that does everything", () => {
  for (const [path, text] of sources) {
    expect(path, path).not.toMatch(/(^|\/)(utils?|helpers?|common|shared|lib)(\/|\.ts$)/);
    expect(path, path).not.toMatch(/(^|\/)index\.ts$/);
    if (path === "database/types.ts") continue;
    expect(text.split("\n").length, path).toBeLessThanOrEqual(401);
  }
  const lengths = files
    .filter((path) => !isTest(path))
    .map((path) => (sources.get(path) ?? "").split("\n").length)
    .toSorted((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(90);
  expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThanOrEqual(250);
});
