import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";

const ROOT = resolve(import.meta.dirname, "..", "..");
const run = promisify(execFile);
const temporary = makeTempFolder("package");
/** An empty folder, which is where a person may stand. */
const cwd = join(temporary.path, "empty");
const prefix = join(temporary.path, "prefix");
const installed = join(prefix, "lib", "node_modules", "sublet");
const sublet = join(prefix, "bin", "sublet");
/** The machine's own Node is what a person's shell finds first. */
const PATH = `${["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":")}`;
const env = { HOME: temporary.path, PATH, npm_config_cache: "", SUBLET_RUN: temporary.path };
const migrations = readdirSync(join(ROOT, "src", "database", "migrations"));
let packed: readonly string[] = [];
let server: ChildProcess | undefined;

beforeAll(async () => {
  mkdirSync(cwd);
  const cache = (await run("npm", ["config", "get", "cache"], { cwd: ROOT })).stdout.trim();
  env.npm_config_cache = cache;
  const pack = ["pack", "--json", "--silent", "--pack-destination", temporary.path];
  const { stdout } = await run("npm", pack, { cwd: ROOT, maxBuffer: 16 * 2 ** 20 });
  const told = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)));
  const [one] = Object.values(told) as { filename: string; files: { path: string }[] }[];
  packed = (one?.files ?? []).map(({ path }) => path);
  const file = readdirSync(temporary.path).find((name) => name.endsWith(".tgz")) ?? "";
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--silent"];
  const install = ["install", "--global", "--prefix", prefix, ...quiet];
  await run("npm", [...install, join(temporary.path, file)], { cwd, env });
}, 180_000);

afterAll(async () => {
  server?.kill("SIGKILL");
  temporary.remove();
});

test("the package holds what runs, and neither sources, tests nor tools of the clone", () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      ...["LICENSE", "README.md", "package.json", "openapi.json", "bin/sublet.js"],
      ...["dist/src/cli/main.js", "docs/operating/install.md"],
      ...migrations.map((name) => `dist/src/database/migrations/${name}`),
    ]),
  );
  const odd = packed.filter((path) => /\.(test|sample)\.|\.ts$|^(src|test|tools)\//.test(path));
  expect(odd).toEqual([]);
});

test("whatever the program reads beside itself is in the package", () => {
  const folder = join(ROOT, "src");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  const read = sources.flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const found = text.matchAll(/new URL\("(\.[^"]+)", import\.meta\.url\)/g);
    return [...found].map(([, path = ""]) => join("dist/src", dirname(name), path));
  });
  expect(read).toContain("dist/src/cli/job/job.sh");
  const isThere = (path: string) =>
    packed.some((one) => one === path || (path.endsWith("/") && one.startsWith(path)));
  expect(read.filter((path) => !isThere(path))).toEqual([]);
});

test("installed with one command, it runs from an empty folder and knows its version", async () => {
  const { stdout } = await run(sublet, ["--version"], { cwd, env });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(existsSync(join(installed, "src"))).toBe(false);
  const help = await run(sublet, ["lease", "create", "--help"], { cwd, env });
  expect(help.stdout).toContain("Examples:");
});

test("its server starts with a database of its own, and lets its operator in", async () => {
  const port = await freePort();
  const data = join(temporary.path, "server");
  const argv = ["server", "--data", data, "--listen", `127.0.0.1:${port}`, "--json"];
  server = spawn(sublet, argv, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const { url, operatorKey } = JSON.parse(await firstLine(server));
  const login = await run(sublet, ["login", url, "--key", operatorKey, "--json"], { cwd, env });
  expect(JSON.parse(login.stdout).party).toMatchObject({ name: "operator" });
  const ended = new Promise((done) => server?.once("exit", done));
  server.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(readdirSync(cwd)).toEqual([]);
});

test("its agent runs as far as the token, and its units name what is installed", async () => {
  const agent = await run(sublet, ["agent", "--data", join(temporary.path, "agent")], {
    cwd,
    env,
  }).catch((error: { stderr: string }) => error);
  expect(agent.stderr).toContain("token of `sublet host add`");
  const { stdout } = await run(sublet, ["agent", "--print-unit"], { cwd, env });
  const [, node = "", main = ""] = /^ExecStart=(\S+) (\S+) agent --data/m.exec(stdout) ?? [];
  expect(existsSync(node)).toBe(true);
  expect(main).toBe(join(installed, "dist/src/cli/main.js"));
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const address = probe.address();
  await new Promise<void>((done) => probe.close(() => done()));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((done, reject) => {
    let said = "";
    child.stdout?.on("data", (chunk) => {
      said += chunk;
      if (said.includes("\n")) done(said);
    });
    let complaints = "";
    child.stderr?.on("data", (chunk) => (complaints += chunk));
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${complaints}`)));
  });
}
