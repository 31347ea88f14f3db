import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PassThrough, Readable } from "node:stream";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { withDefaultVerb } from "../../src/cli/default-verb.ts";
import { readEnvironment } from "../../src/cli/environment.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { argumentsOf } from "./shell-line.ts";

const ROOT = resolve(import.meta.dirname, "..", "..");
const FOLDER = join(ROOT, "docs", "operating");
const pages = ["README.md", ...readdirSync(FOLDER).map((name) => `docs/operating/${name}`)];
const texts = new Map(pages.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));

const surroundings = {
  environment: readEnvironment({ HOME: "/nowhere" }),
  clock: systemClock,
  stdin: Readable.from([]),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
};

/** What a person would type: lines of code blocks, and what stands in the text between backticks. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```\w*\n(.*?)^ *```/gms)].flatMap(([, block = ""]) =>
    block.replace(/\\\n\s*/g, "").split("\n"),
  );
  const typed = blocks.map((line) => line.trim().replace(/^(\$ )?(sudo )?/, ""));
  return typed.filter((line) => line.startsWith("sublet "));
}

const commands = [...texts].flatMap(([path, text]) =>
  commandsIn(text).map((command) => [path, command] as const),
);

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

test.each(commands)("%s: %s", async (_, command) => {
  const program = buildProgram({ surroundings, argv: [], exitCode: 0, json: false });
  for (const leaf of leaves(program)) leaf.action(() => undefined);
  const argv = argumentsOf(command);
  if (argv.includes("--version")) return;
  await program.parseAsync(argv, { from: "user" });
});

test("each verb that a page names exists", () => {
  const program = buildProgram({ surroundings, argv: [], exitCode: 0, json: false });
  for (const [path, text] of texts) {
    for (const [, typed = ""] of text.matchAll(/`sublet ([a-z][^`]*)`/g)) {
      const [first = "", second = ""] = withDefaultVerb(typed.split(" "));
      const verb = program.commands.find((one) => one.name() === first);
      expect(verb, `${path}: sublet ${typed}`).toBeDefined();
      const within = verb?.commands ?? [];
      if (within.length === 0 || !/^[a-z][a-z-]*$/.test(second)) continue;
      const named = within.find((one) => one.name() === second);
      expect(named, `${path}: sublet ${typed}`).toBeDefined();
    }
  }
});

test("the pages that an operator needs are there, and their links lead somewhere", () => {
  expect(readdirSync(FOLDER)).toEqual(
    expect.arrayContaining([
      ...["backup.md", "firewall.md", "first-market.md", "install.md"],
      ...["investigate-a-bill.md", "two-machines.md", "upgrade.md"],
    ]),
  );
  for (const [path, text] of texts) {
    for (const [, link = ""] of text.matchAll(/\]\(([^)#:]+)\)/g)) {
      expect(existsSync(join(ROOT, path, "..", link)), `${path}: ${link}`).toBe(true);
    }
  }
});
