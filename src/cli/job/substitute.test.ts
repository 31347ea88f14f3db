import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { checkPlaceholder, substitute, substituteInCommand } from "./substitute.ts";

test.each([
  ["{}", "data/a.csv", "data/a.csv"],
  ["{.}", "data/a.csv", "data/a"],
  ["{/}", "data/a.csv", "a.csv"],
  ["{/.}", "data/a.csv", "a"],
  ["out/{/.}.json", "data/a.tar.gz", "out/a.tar.json"],
  ["{.}", "v1.2/readme", "v1.2/readme"],
  ["{.}", "data/.hidden", "data/.hidden"],
  ["{}{}", "x", "xx"],
  ["{x} {} {y.}", "a", "{x} a {y.}"],
  ["{}", "a$&b", "a$&b"],
])("%j for %j is %j", (text, input, made) => {
  expect(substitute(text, input)).toBe(made);
});

test("an input is one word to the guest's shell, whatever it is called", () => {
  for (const input of ["a b", "it's", "$(id)", "*", "ü"]) {
    const [line = ""] = substituteInCommand(["printf '%s|' {}"], input);
    expect(spawnSync("sh", ["-c", line]).stdout.toString()).toBe(`${input}|`);
    expect(substituteInCommand(["cat", "{}"], input)).toEqual(["cat", input]);
  }
});

test("a command that has no place for an input is refused", () => {
  expect(() => checkPlaceholder(["cat"])).toThrow(/with \{\}/);
  expect(() => checkPlaceholder(["cat {/.}.x"])).not.toThrow();
});
