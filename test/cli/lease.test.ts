import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeTempFolder, type TempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, problem, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { accessOf, id, leaseOf, MATCH } from "./shapes.ts";

const NEED = "--cpu 1 --memory 512MiB --disk 1GiB --os small-linux --for 10m".split(" ");
const CREATE = ["lease", "create", ...NEED, "--yes"];
let server: FakeServer;
let folder: TempFolder;
const cli = (...argv: string[]) =>
  runCli(argv, folder.path, { server: server.url, key: "right", profile: "tester" });

beforeAll(async () => {
  server = await startFakeServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  folder = makeTempFolder("cli-lease");
  server.requests.length = 0;
  server.routes = {
    "PUT /v1/client/leases/*": (_, [leaseId]) => ({
      json: leaseOf({ leaseId: leaseId as `lease_${string}` }),
    }),
  };
});
afterEach(() => folder.remove());

function booked(): { id: string; body: Record<string, unknown> }[] {
  return server.requests
    .filter(({ method }) => method === "PUT")
    .map(({ path, body }) => ({ id: path.split("/").at(-1) ?? "", body: JSON.parse(body) }));
}

describe("lease create", () => {
  test("sends what was typed, in the contract's units, with a key made for this login", async () => {
    const ran = await cli(...CREATE, "--max-price", "0.20/h", "--start", "now", "--json");
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    expect(booked()[0]?.body).toMatchObject({
      requirement: {
        size: { cpuMilli: 1000, memoryBytes: 536_870_912, diskBytes: 1_073_741_824 },
        cpuMode: "dedicated",
        os: "small-linux",
        start: null,
        durationSeconds: 600,
        maxPerHourMicros: "200000",
      },
      sshPublicKey: expect.stringMatching(/^ssh-ed25519 \S+ sublet-tester$/),
    });
    const keys = join(folder.path, "ssh", "tester");
    expect(statSync(keys).mode & 0o777).toBe(0o700);
    expect(statSync(join(keys, "id_ed25519")).mode & 0o777).toBe(0o600);
    expect(JSON.parse(ran.stdout)).toMatchObject({ state: "booked" });
  });

  test("asked twice in a row books two leases", async () => {
    await cli(...CREATE);
    await cli(...CREATE);
    expect(new Set(booked().map((one) => one.id)).size).toBe(2);
  });

  test("repeats under the same id while no answer comes", async () => {
    let lost = 2;
    server.routes["PUT /v1/client/leases/*"] = (_, [leaseId]) =>
      lost-- > 0 ? { hangUp: true } : { json: leaseOf({ leaseId: leaseId as `lease_${string}` }) };
    expect(await cli(...CREATE)).toMatchObject({ exitCode: 0 });
    expect(booked()).toHaveLength(3);
    expect(new Set(booked().map((one) => one.id)).size).toBe(1);
    expect(readdirSync(join(folder.path, "bookings"))).toEqual([]);
  });

  test("typed again after a lost answer is the same lease", async () => {
    const right = server.routes["PUT /v1/client/leases/*"];
    server.routes["PUT /v1/client/leases/*"] = () => ({ hangUp: true });
    const lost = await cli(...CREATE, "--start", "now+2h");
    expect(lost.exitCode).toBe(1);
    expect(lost.stderr).toContain("it may have been done or not: repeat it safely");
    server.routes = right ? { "PUT /v1/client/leases/*": right } : {};
    const again = await cli(...CREATE, "--start", "now+2h");
    expect(again).toMatchObject({ exitCode: 0 });
    expect(again.stderr).toContain("whose answer was lost");
    expect(new Set(booked().map((one) => JSON.stringify(one))).size).toBe(1);
  });

  test("that was refused is forgotten", async () => {
    server.routes["PUT /v1/client/leases/*"] = () =>
      problem(402, "funds-short", "this needs 0.02 and 0.00 is free", { neededMicros: "20000" });
    const ran = await cli(...CREATE, "--json");
    expect(ran.exitCode).toBe(1);
    expect(JSON.parse(ran.stdout)).toEqual({
      error: {
        code: "funds-short",
        message: "this needs 0.02 and 0.00 is free",
        about: { neededMicros: "20000" },
      },
    });
    expect(readdirSync(join(folder.path, "bookings"))).toEqual([]);
    expect(existsSync(join(folder.path, "leases"))).toBe(false);
  });

  test("without --yes and without a terminal shows the price and books nothing", async () => {
    server.routes["POST /v1/client/searches"] = () => ({
      json: { matches: [MATCH], mismatches: [] },
    });
    const ran = await cli("lease", "create", ...NEED);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("attic/guest of lender: 1 core, 512MiB, disk 1GiB");
    expect(ran.stderr).toContain("at most 0.02 EUR. Book it? Type --yes");
    expect(booked()).toEqual([]);
  });

  test("--wait tells what happens until there is a way in", async () => {
    const leaseId = id("lease");
    const access = accessOf(leaseId);
    const events = [
      { seq: 1, at: "2027-01-31T08:00:00Z", kind: "booked", reason: null, detail: {} },
      {
        seq: 2,
        at: "2027-01-31T08:00:01.5Z",
        kind: "progress",
        reason: null,
        detail: { step: "booting" },
      },
      { seq: 3, at: "2027-01-31T08:00:09Z", kind: "ready", reason: null, detail: {} },
    ];
    let looks = 0;
    server.routes["GET /v1/leases/*"] = () => {
      looks++;
      const isReady = looks > 2;
      const lease = isReady
        ? leaseOf({ leaseId, state: "ready", access, accessJws: "x" })
        : leaseOf({ leaseId, state: "preparing" });
      return { json: { lease, events: events.slice(0, looks) } };
    };
    const ran = await cli(...CREATE, "--id", leaseId, "--wait");
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toBe("    0.0 s  booked\n    1.5 s  booting\n    9.0 s  ready\n");
    expect(ran.stdout).toContain(`sublet run --lease ${leaseId} -- uname -a`);
  });

  test("--wait for a lease that fails is a failure", async () => {
    const lease = leaseOf({ state: "ending", reason: "image-altered" });
    server.routes["GET /v1/leases/*"] = () => ({ json: { lease, events: [] } });
    const ran = await cli(...CREATE, "--wait", "--json");
    expect(ran.exitCode).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: { code: "lease-ended", about: { reason: "image-altered" } },
    });
  });
});

test("search shows what matches, and what does not and why", async () => {
  server.routes["POST /v1/client/searches"] = () => ({
    json: {
      matches: [MATCH],
      mismatches: [
        {
          partition: { id: id("partition", "2"), name: "big" },
          host: MATCH.host,
          reasons: [{ code: "too-dear", message: "it costs 9.00 per hour" }],
        },
      ],
    },
  });
  const ran = await cli("search", ...NEED);
  expect(ran.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["PARTITION", "LENDER", "SIZE", "OS", "PER HOUR", "AT MOST", "OFFER"],
    [
      "attic/guest",
      "lender",
      "1 core, 512MiB, disk 1GiB (re-cut)",
      "small-linux 6.1-1",
      "0.106",
      "0.02 EUR",
      id("offer"),
    ],
    [""],
    ["DOES NOT MATCH", "WHY"],
    ["attic/big", "it costs 9.00 per hour"],
    [""],
  ]);
});

describe("the power of a lease", () => {
  const leaseId = id("lease");
  const powered = (generation: number, doneGeneration: number, state: "on" | "off" = "off") =>
    leaseOf({ leaseId, state: "ready", power: { state, generation, doneGeneration } });

  test("stop asks for the next number, and --wait waits until the host has done it", async () => {
    let looks = 0;
    server.routes["GET /v1/leases/*"] = () => {
      looks++;
      const lease = looks === 1 ? powered(4, 4, "on") : powered(5, looks > 3 ? 5 : 4);
      return { json: { lease, events: [] } };
    };
    server.routes["PUT /v1/client/leases/*/power"] = () => ({ json: powered(5, 4) });
    const ran = await cli("lease", "stop", leaseId, "--wait");
    expect(ran.exitCode).toBe(0);
    expect(booked().map(({ body }) => body)).toEqual([{ state: "off", generation: 5 }]);
    expect(ran.stdout).toMatch(/^power +off$/m);
    expect(looks).toBeGreaterThan(3);
  });

  test("start and restart say what they ask for, and without --wait that it was asked", async () => {
    server.routes["GET /v1/leases/*"] = () => ({ json: { lease: powered(1, 1), events: [] } });
    server.routes["PUT /v1/client/leases/*/power"] = () => ({ json: powered(2, 1, "on") });
    for (const name of ["start", "restart"]) {
      expect((await cli("lease", name, leaseId)).stdout).toMatch(/^power +on, asked of the host$/m);
    }
    expect(booked().map(({ body }) => body.state)).toEqual(["on", "restart"]);
  });
});

test("a guest's console comes without what would control the terminal", async () => {
  const leaseId = id("lease");
  const text = "Linux\u001b[2J\r\n\u001b]0;owned\u0007login: \u009b31m\n";
  server.routes["GET /v1/client/leases/*/console"] = () => ({ json: { leaseId, text } });
  const ran = await cli("lease", "console", leaseId);
  expect(ran).toMatchObject({ exitCode: 0, stdout: "Linux\nlogin:\n" });
  const asJson = await cli("lease", "console", leaseId, "--json");
  expect(JSON.parse(asJson.stdout)).toEqual({ leaseId, text: "Linux\nlogin: \n" });
});
