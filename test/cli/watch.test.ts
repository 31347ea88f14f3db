import { PassThrough, Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { readEnvironment } from "../../src/cli/environment.ts";
import { run } from "../../src/cli/run.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { until } from "../guest/processes.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, problem, startFakeServer } from "./fake-server.ts";
import { id, leaseOf } from "./shapes.ts";

const folder = makeTempFolder("cli-watch");
const LEASE = id("lease", "7");
let server: FakeServer;
let leases: LeaseView[] = [];
let away = false;
let running: Watching | undefined;

interface Watching {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exitCode: Promise<number>;
}

beforeAll(async () => {
  server = await startFakeServer();
  server.routes["GET /v1/leases"] = () =>
    away ? { hangUp: true } : { json: { leases, nextCursor: null } };
  server.routes["GET /v1/leases/*/changes"] = () => problem(404, "route-not-found", "no stream");
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
afterEach(async () => {
  process.emit("SIGINT");
  await running?.exitCode;
  away = false;
});

function watch(columns: number | undefined, ...more: string[]): Watching {
  const text = { stdout: "", stderr: "" };
  const screen = (name: "stdout" | "stderr") => {
    const stream = new PassThrough();
    stream.on("data", (chunk) => (text[name] += chunk));
    return columns === undefined ? stream : Object.assign(stream, { isTTY: true, columns });
  };
  const env = { SUBLET_CONFIG: folder.path, SUBLET_SERVER: server.url, SUBLET_KEY: "right" };
  const exitCode = run(["lease", "list", "--watch", ...more], {
    environment: readEnvironment({ ...env, NO_COLOR: "1" }),
    clock: systemClock,
    stdin: Readable.from([]),
    stdout: screen("stdout"),
    stderr: screen("stderr"),
  });
  running = { stdout: () => text.stdout, stderr: () => text.stderr, exitCode };
  return running;
}

const shows = (what: () => string, pattern: RegExp) =>
  until(`the watch shows ${pattern}`, async () => (pattern.test(what()) ? true : undefined));

test("without a terminal each change is one line, and Ctrl-C is its end", async () => {
  leases = [leaseOf({ leaseId: LEASE, state: "preparing" })];
  const { stdout, stderr, exitCode } = watch(undefined);
  await shows(stdout, new RegExp(`${LEASE}  preparing  attic/guest`));
  leases = [leaseOf({ leaseId: LEASE, state: "ready" })];
  await shows(stdout, /ready \(was preparing\)/);
  leases = [];
  await shows(stdout, /no longer listed/);
  process.emit("SIGINT");
  expect(await exitCode).toBe(0);
  expect(stdout().trimEnd().split("\n")).toHaveLength(3);
  expect(stderr()).toBe("");
});

test("with --json each line is one document", async () => {
  leases = [leaseOf({ leaseId: LEASE, state: "ready" })];
  const { stdout } = watch(undefined, "--json");
  await shows(stdout, /\n/);
  expect(JSON.parse(stdout()).leaseId).toBe(LEASE);
});

test("on a terminal the list is drawn where it stood", async () => {
  leases = [leaseOf({ leaseId: LEASE, state: "preparing" })];
  const { stdout } = watch(200);
  await shows(stdout, /preparing/);
  leases = [leaseOf({ leaseId: LEASE, state: "ready" })];
  await shows(stdout, /ready/);
  // Heading and one row: two lines up, then everything below is cleared.
  expect(stdout()).toContain("\u001b[2A\r\u001b[J");
});

test("a server that restarts is waited for, and both are told", async () => {
  leases = [leaseOf({ leaseId: LEASE, state: "preparing" })];
  const { stdout, stderr } = watch(undefined);
  await shows(stdout, /preparing/);
  away = true;
  await shows(stderr, /does not answer; .*; asking again in 1 s/);
  leases = [leaseOf({ leaseId: LEASE, state: "ready" })];
  away = false;
  await shows(stderr, /the server answers again/);
  await shows(stdout, /ready \(was preparing\)/);
});

test("a refusal ends it", async () => {
  server.routes["GET /v1/whoami"] = () => problem(401, "not-authenticated", "no");
  const before = server.routes["GET /v1/leases"];
  server.routes["GET /v1/leases"] = () => problem(401, "not-authenticated", "no valid key");
  const { exitCode } = watch(undefined);
  expect(await exitCode).toBe(1);
  if (before) server.routes["GET /v1/leases"] = before;
});
