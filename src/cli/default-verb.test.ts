import { expect, test } from "vitest";
import { withDefaultVerb } from "./default-verb.ts";

const words = (text: string) => text.split(" ").filter((word) => word !== "");

test.each([
  ["run -- make", "run job -- make"],
  ["run --lease lease_1 -- uname --json --help", "run job --lease lease_1 -- uname --json --help"],
  ["--json run uname -a", "--json run job uname -a"],
  ["run --as study --cpu 1 -- list", "run job --as study --cpu 1 -- list"],
])("%s is %s", (typed, meant) => {
  expect(withDefaultVerb(words(typed))).toEqual(words(meant));
});

test.each([
  "run list",
  "run --as study list",
  "run --as=study logs -f run_1",
  "run job -- make",
  "run --help",
  "run",
  "",
  "lease list",
  "--as study whoami",
])("%s stays as it is", (typed) => {
  expect(withDefaultVerb(words(typed))).toEqual(words(typed));
});
