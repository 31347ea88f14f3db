import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";

const ROOT = resolve(import.meta.dirname, "..", "..");
/** The launcher itself runs on any Node: on the machine's own, where it has one. */
const ANY_NODE = ["/usr/bin/node", "/usr/local/bin/node"].find(existsSync) ?? process.execPath;
const BUNDLED = join(ROOT, "node_modules", `node-${process.platform}-${process.arch}`);

const folder = makeTempFolder("cli-launcher");
/** As if that Node were an older one. */
const AS_OLD = join(folder.path, "as-old.cjs");
writeFileSync(AS_OLD, 'Object.defineProperty(process, "version", { value: "v20.1.0" });');
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});
afterAll(() => folder.remove());

describe("the launcher on an older Node", () => {
  test("ends with the exit code of the program", async () => {
    const home = copyWith("process.exitCode = 42; console.log(process.version);");
    const ran = await run(home);
    expect(ran.code).toBe(42);
    expect(ran.output).toMatch(/^v2[4-9]\./);
  });

  test("passes input and arguments through", async () => {
    const home = copyWith(
      "process.stdin.pipe(process.stdout); console.log(JSON.stringify(process.argv.slice(2)));",
    );
    const ran = await run(home, ["a b", "--c"], "from stdin");
    expect(ran.output).toBe('["a b","--c"]\nfrom stdin');
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("forwards %s", async (signal) => {
    const home = copyWith(
      `process.on("${signal}", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up");`,
    );
    const { child, ended, up } = start(home);
    await up;
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 7, signal: null });
  });

  test("ends by the signal that ended the program", async () => {
    const home = copyWith('process.kill(process.pid, "SIGKILL");');
    expect(await run(home)).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  test("killed by SIGKILL takes the program with it, as by SIGTERM", async () => {
    const note = join(folder.path, "note");
    const home = copyWith(`
      import { writeFileSync } from "node:fs";
      import { endWithLauncher } from ${JSON.stringify(join(ROOT, "src/cli/launcher-pipe.ts"))};
      endWithLauncher(Number(process.env.SUBLET_LAUNCHER_FD));
      process.on("SIGTERM", () => { writeFileSync(${JSON.stringify(note)}, "told"); process.exit(0); });
      setInterval(() => {}, 1000);
      console.log(process.pid);
    `);
    const { child, up } = start(home);
    const pid = Number(await up);
    child.kill("SIGKILL");
    await until(() => !existsSync(`/proc/${pid}`));
    expect(existsSync(note)).toBe(true);
  });
});

test("without Node 24 the launcher says what to type", async () => {
  const home = copyWith("", { bundled: false });
  const ran = await run(home);
  expect(ran.code).toBe(1);
  expect(ran.complaints).toBe(
    `sublet: this needs Node 24.11 and here is v20.1.0; run \`npm install\` in ${home}, which brings it\n`,
  );
});

test("the program itself runs by the launcher, and a broken pipe is quiet", async () => {
  const bin = join(ROOT, "bin", "sublet.js");
  const child = spawn("sh", [
    "-c",
    `"${ANY_NODE}" "${bin}" --help | head -1; "${ANY_NODE}" "${bin}" nonsense`,
  ]);
  started.push(child);
  const ran = await outcome(child);
  expect(ran.output).toBe("Usage: sublet [options] [command]\n");
  expect(ran.complaints).toBe("sublet: unknown command 'nonsense'\n");
  expect(ran.code).toBe(2);
});

let copies = 0;
/** The launcher alone in a folder of its own, with another program behind it. */
function copyWith(program: string, { bundled = true } = {}): string {
  const home = join(folder.path, `home-${copies++}`);
  for (const part of ["bin", "dist/src/cli", "node_modules"]) {
    mkdirSync(join(home, part), { recursive: true });
  }
  cpSync(join(ROOT, "bin", "sublet.js"), join(home, "bin", "sublet.js"));
  chmodSync(join(home, "bin", "sublet.js"), 0o755);
  writeFileSync(join(home, "package.json"), '{"type":"module"}');
  writeFileSync(join(home, "dist", "src", "cli", "main.js"), program);
  if (bundled) symlinkSync(BUNDLED, join(home, "node_modules", BUNDLED.split("/").at(-1) ?? ""));
  return home;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly complaints: string;
}

function start(home: string, args: string[] = []) {
  const child = spawn(ANY_NODE, ["--require", AS_OLD, join(home, "bin", "sublet.js"), ...args]);
  started.push(child);
  const up = new Promise<string>((done) => child.stdout.once("data", (data) => done(String(data))));
  return { child, up, ended: outcome(child) };
}

function run(home: string, args: string[] = [], input = ""): Promise<Ended> {
  const { child, ended } = start(home, args);
  child.stdin.end(input);
  return ended;
}

function outcome(child: ReturnType<typeof spawn>): Promise<Ended> {
  let output = "";
  let complaints = "";
  child.stdout?.on("data", (data) => (output += data));
  child.stderr?.on("data", (data) => (complaints += data));
  return new Promise((done) =>
    child.once("close", (code, signal) => done({ code, signal, output, complaints })),
  );
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isTrue(); i++) await sleep(50);
  expect(isTrue()).toBe(true);
}
