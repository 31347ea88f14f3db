import { Option } from "commander";
import { describe, expect, test } from "vitest";
import { tellApart } from "./own-flags.ts";

const OPTIONS = [new Option("--json"), new Option("--as <profile>"), new Option("-t, --tty")];
const told = (...words: string[]) => tellApart(words, OPTIONS);

describe("behind a lease", () => {
  test.each<[string, string[], string[], string[]]>([
    ["our flag is ours", ["--as", "x"], ["--as", "x"], []],
    ["so it is with a sign between", ["--as=x", "ls"], ["--as=x"], ["ls"]],
    ["so it is behind the command's words", ["ls", "--as", "x"], ["--as", "x"], ["ls"]],
    ["behind -- it is the command's", ["--", "ls", "--as", "x"], [], ["ls", "--as", "x"]],
    ["and ours before", ["--tty", "--", "ls", "--json"], ["--tty"], ["ls", "--json"]],
    ["a second -- is the command's", ["--", "ls", "--", "-x"], [], ["ls", "--", "-x"]],
    ["short flags are the command's", ["df", "-h", "-t"], [], ["df", "-h", "-t"]],
    ["so are long ones that are not ours", ["ls", "--color=auto"], [], ["ls", "--color=auto"]],
    ["a value that looks like ours is a value", ["--as", "--json"], ["--as", "--json"], []],
    ["a flag without a value takes none", ["ls", "--json=x"], [], ["ls", "--json=x"]],
    ["one that wants a value is left without", ["ls", "--as"], ["--as"], ["ls"]],
  ])("%s: %j", (_name, words, own, command) => {
    expect(told(...words)).toEqual({ own, command });
  });

  test("a flag that nobody knows is refused before a command has begun", () => {
    expect(() => told("--ass", "x", "ls")).toThrow("unknown option '--ass'");
    expect(() => told("-t", "ls")).toThrow("goes behind --");
  });
});
