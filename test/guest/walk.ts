import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { cleanUp } from "../../src/cli/demo/clean-up.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { until } from "./processes.ts";
import { ROOT, smallLinux } from "./small-linux.ts";
import { ownEnvironment, sublet } from "./sublet.ts";

/** A page that is being typed, in a folder like a clone. */
export interface Walk {
  readonly folder: string;
  readonly url: string;
  readonly daemons: ChildProcess[];
  /** What stands for a value that each walk makes anew, such as `lease_01k…`. */
  readonly values: Map<string, string>;
  /** Ends what was left running, and takes the guests of `agent`'s folder away. */
  close(): Promise<void>;
}

interface Typed {
  readonly command: string;
  readonly shown: readonly string[];
}

/** `market`: the folder, within the walk's own, that the agent's folder lies in. */
export async function beginWalk(purpose: string, market: string): Promise<Walk> {
  await smallLinux();
  const temporary = makeTempFolder(purpose);
  const folder = temporary.path;
  symlinkSync(join(ROOT, ".cache"), join(folder, ".cache"));
  copyFileSync(join(ROOT, "README.md"), join(folder, "README.md"));
  const daemons: ChildProcess[] = [];
  const close = async () => {
    for (const daemon of daemons.toReversed()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const ended = once(daemon, "exit");
      daemon.kill("SIGTERM");
      await ended;
    }
    await cleanUp(join(folder, market));
    temporary.remove();
  };
  const url = `http://127.0.0.1:${await freePort()}`;
  return { folder, url, daemons, values: new Map(), close };
}

/** Types what the page's console blocks show, and compares what comes with what they show. */
export async function replay(walk: Walk, page: string, commandsMin: number): Promise<void> {
  const typed = typedIn(page);
  expect(typed.length).toBeGreaterThan(commandsMin);
  for (const { command, shown } of typed) {
    // The image is there already; `sublet` is this very program.
    if (command === "npm run small-linux" || command.startsWith("sublet()")) continue;
    expect(command).toMatch(/^sublet /);
    const output = await type(walk, command.slice("sublet ".length));
    expectShown(walk, output, shown, command);
  }
}

/** The commands in the console blocks, each with the lines that follow it. */
function typedIn(readme: string): Typed[] {
  const blocks = [...readme.matchAll(/```console\n(.*?)```/gs)].map(([, block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = "", ...shown] = part.trimEnd().split("\n");
        return { command, shown: shown.filter((line) => line.trim() !== "") };
      }),
  );
}

async function type(walk: Walk, command: string): Promise<string> {
  const filled = command
    .split(" ")
    .map((word) => word.replaceAll("http://127.0.0.1:7070", walk.url))
    .map((word) => fill(walk, word));
  const [verb] = filled;
  if (verb === "server")
    return stays(walk, [...filled, "--listen", walk.url.slice("http://".length)], 3);
  if (verb === "agent") return stays(walk, filled, 1);
  const { stdout, stderr } = await sublet(filled, { env: { HOME: walk.folder }, cwd: walk.folder });
  return stderr + stdout;
}

/** Words like `lease_01k…` become what this walk has for them. */
function fill({ values }: Walk, word: string): string {
  return word.replace(/[\w.-]+…/g, (placeholder) => {
    const value = values.get(placeholder);
    if (value === undefined) throw new Error(`nothing was shown yet for ${placeholder}`);
    return value;
  });
}

/** A server or agent: it is left running once it has said its first lines. */
async function stays(
  { folder, daemons }: Walk,
  argv: readonly string[],
  lines: number,
): Promise<string> {
  const child = spawn(process.execPath, [join(ROOT, "src/cli/main.ts"), ...argv], {
    cwd: folder,
    env: { ...ownEnvironment(), HOME: folder, SUBLET_LAUNCHER_FD: "3" },
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  daemons.push(child);
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  await until(`${argv[0]} has spoken`, async () =>
    text.split("\n").length > lines ? true : undefined,
  );
  return text;
}

/** The README shows some of the lines, in their order; what differs from walk to walk may. */
function expectShown(walk: Walk, output: string, shown: readonly string[], command: string) {
  const lines = output.split("\n");
  let next = 0;
  for (const line of shown) {
    const { pattern, names } = patternOf(walk, line);
    const at = lines.findIndex((actual, index) => index >= next && pattern.test(actual));
    expect(at, `after "${command}" the README shows:\n${line}\nbut:\n${output}`).not.toBe(-1);
    const found = pattern.exec(lines[at] ?? "");
    for (const [index, name] of names.entries()) walk.values.set(name, found?.[index + 1] ?? "");
    next = at + 1;
  }
}

function patternOf({ folder, url }: Walk, line: string): { pattern: RegExp; names: string[] } {
  const names: string[] = [];
  const text = line
    .trim()
    .replaceAll("http://127.0.0.1:7070", url)
    .replaceAll(/\b(?:market|island)\/agent\/agent\.sock/g, (path) => join(folder, path))
    .split(/([\w.-]+…)/)
    .map((part) => {
      if (!part.endsWith("…")) return flexible(part);
      names.push(part);
      return `(${part.startsWith("sublet-join") ? "sublet-join\\." : part.replace(/_.*/, "_")}[\\w-]+)`;
    })
    .join("");
  return { pattern: new RegExp(`^\\s*${text}\\s*$`), names };
}

/** Numbers that are measured or chosen may differ, amounts of money and sizes may not. */
function flexible(text: string): string {
  return text
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/\d{4}-\d\d-\d\d[T ][\d:]+(\\\.\d+)?Z/g, "[\\d:TZ. -]+")
    .replace(/port \d+/g, "port \\d+")
    .replace(/\d+\\\.\d+\\\.\d+-[\w-]+/g, "[\\w.-]+")
    .replace(/ {2,}/g, "\\s+");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise<void>((closed) => server.close(() => closed()));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
