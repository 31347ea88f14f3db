import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { readEnvironment } from "../../src/cli/environment.ts";
import { isColoured } from "../../src/cli/output/colour.ts";
import { table } from "../../src/cli/output/table.ts";
import { newId } from "../../src/unit/id.ts";
import { runAtTerminal } from "./terminal.ts";

const HEADINGS = ["LEASE", "STATE", "PARTITION", "SIZE", "OS", "UNTIL", "AT MOST"];
const ROWS = Array.from({ length: 3 }, (_, i) => [
  newId("lease", 1_800_000_000_000 + i * 1000),
  ["ready", "ended-early", "not-delivered"][i] ?? "",
  "a-host-with-a-name/guest",
  "0.5 cores, 512MiB, disk 1GiB",
  "small-linux",
  "2027-01-31 08:10:00Z",
  "12.34 EUR",
]);
const screen = (columns?: number) =>
  Object.assign(new PassThrough(), columns === undefined ? {} : { isTTY: true, columns });
const draw = (columns: number | undefined, rows = ROWS) =>
  table(
    { stdout: screen(columns), environment: readEnvironment({ NO_COLOR: "1" }) },
    HEADINGS,
    rows,
  );
const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== "");

describe("a table", () => {
  test.each([120, 100, 90])("on a terminal of %i columns is no wider than that", (columns) => {
    for (const line of draw(columns).split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test.each([80, 40])(
    "at %i columns cuts nothing and breaks no id, whatever is in it",
    (columns) => {
      const drawn = draw(columns);
      const short = ROWS.map(([id = ""]) => id.slice(0, "lease_".length + 10));
      for (const id of short) expect(drawn).toContain(id);
      const parts = ROWS.flatMap(([, ...cells]) => cells.flatMap(wordsOf)).flatMap((word) =>
        word.split(/(?<=[a-z][-/])/),
      );
      for (const part of parts) expect(drawn).toContain(part);
      expect(drawn).not.toContain("…");
    },
  );

  test("fits 80 columns where its words do", () => {
    const rows = ROWS.map(([id = "", state = ""]) => [
      id,
      state,
      "attic/guest",
      "1 core",
      "-",
      "-",
    ]);
    for (const line of draw(80, rows).split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("that is piped has one line a row, whole ids, and nothing left out", () => {
    const lines = draw(undefined).split("\n");
    expect(lines).toHaveLength(ROWS.length + 1);
    for (const [index, row] of ROWS.entries()) {
      expect(lines[index + 1]?.split(/ {2,}/)).toEqual(row);
    }
  });
});

describe("colours", () => {
  const on = (env: Record<string, string>, columns?: number, color?: boolean) =>
    isColoured(
      { environment: readEnvironment(env), common: color === undefined ? {} : { color } },
      screen(columns),
    );

  test.each([
    ["a terminal", {}, 80, true],
    ["no terminal", {}, undefined, false],
    ["NO_COLOR", { NO_COLOR: "1" }, 80, false],
    ["an empty NO_COLOR", { NO_COLOR: "" }, 80, true],
    ["a dumb terminal", { TERM: "dumb" }, 80, false],
    ["FORCE_COLOR without a terminal", { FORCE_COLOR: "1" }, undefined, true],
    ["FORCE_COLOR=0", { FORCE_COLOR: "0" }, undefined, false],
    ["FORCE_COLOR and NO_COLOR", { FORCE_COLOR: "1", NO_COLOR: "1" }, 80, false],
  ] as const)("%s", (_, env, columns, expected) => {
    expect(on(env, columns)).toBe(expected);
    expect(on(env, columns, false)).toBe(false);
  });

  test("--no-color is taken by every verb, before and behind it", async () => {
    for (const argv of [
      ["--no-color", "completion", "bash"],
      ["completion", "bash", "--no-color"],
    ]) {
      expect((await runAtTerminal(argv, 80, {})).exitCode).toBe(0);
    }
  });
});
