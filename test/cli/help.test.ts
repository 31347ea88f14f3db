import { PassThrough, Readable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { readEnvironment } from "../../src/cli/environment.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { chapters } from "../../src/cli/verbs.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { runCli } from "./run-cli.ts";
import { argumentsOf } from "./shell-line.ts";

const surroundings = {
  environment: readEnvironment({ HOME: "/nowhere" }),
  clock: systemClock,
  sleep: async () => undefined,
  stdin: Readable.from([]),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
};
const program = buildProgram({ surroundings, argv: [], exitCode: 0, json: false });
const verbs = leaves(program).map((command) => [names(command), command] as const);

const examples = chapters
  .flatMap((chapter) => chapter.verbs)
  .flatMap((verb) => ("verbs" in verb ? verb.verbs : [verb]))
  .flatMap((verb) => verb.examples);

describe("every verb", () => {
  test.each(verbs)("%j has help with an example that begins with its name", async (path) => {
    const { exitCode, stdout } = await runCli([...path, "--help"], "/nowhere");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`$ sublet ${path.join(" ")}`);
  });

  test.each(verbs)("%j takes --json", (_, command) => {
    expect(command.options.map((option) => option.long)).toContain("--json");
  });

  test.each(examples)("has an example that parses: %s", async (example) => {
    const parsed = buildProgram({ surroundings, argv: [], exitCode: 0, json: false });
    for (const command of leaves(parsed)) command.action(() => undefined);
    await parsed.parseAsync(argumentsOf(example), { from: "user" });
  });

  test("that is wrong would not parse", async () => {
    const parsed = buildProgram({ surroundings, argv: [], exitCode: 0, json: false });
    const wrong = argumentsOf("sublet lease extend lease_01k9… --for 1parsec");
    await expect(parsed.parseAsync(wrong, { from: "user" })).rejects.toThrow("--for");
  });

  test("that talks to a server takes --as, --server and --key", () => {
    const without = verbs.filter(
      ([, command]) => !["--as", "--server", "--key"].every((long) => takes(command, long)),
    );
    expect(without.map(([path]) => path.join(" "))).toEqual([
      ...["server", "agent", "demo", "login", "completion"],
      // These talk to the agent of this computer alone.
      ...["start", "stop", "wipe", "console", "ssh"].map((name) => `partition ${name}`),
      ...["show", "history", "card", "trust", "untrust"].map((name) => `capacity ${name}`),
      ...["backup", "restore"],
    ]);
  });
});

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function names(command: Command): string[] {
  return command.parent === null ? [] : [...names(command.parent), command.name()];
}

function takes(command: Command, long: string): boolean {
  return command.options.some((option) => option.long === long);
}
