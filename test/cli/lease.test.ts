import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeTempFolder, type TempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, problem, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { accessOf, foundOf, id, leaseOf, MATCH } from "./shapes.ts";

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
      json: foundOf([MATCH]),
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

describe("several partitions at once", () => {
  const MANY = [...CREATE, "--count", "3", "--label", "region=eu", "--internet"];
  const bookings = () =>
    server.requests
      .filter(({ path }) => path === "/v1/client/bookings")
      .map(
        ({ body }) => JSON.parse(body) as { leaseIds: `lease_${string}`[]; requirement: object },
      );
  beforeEach(() => {
    server.routes["POST /v1/client/bookings"] = ({ body }) => {
      const { leaseIds } = JSON.parse(body) as ReturnType<typeof bookings>[number];
      return { json: { leases: leaseIds.map((leaseId) => leaseOf({ leaseId })) } };
    };
  });

  test("are one booking under so many ids, and --json gives them as a list", async () => {
    const ran = await cli(...MANY, "--json");
    const [booking] = bookings();
    expect(booking?.requirement).toMatchObject({
      count: 3,
      labels: { region: "eu" },
      internet: true,
    });
    expect(new Set(booking?.leaseIds).size).toBe(3);
    const { leases } = JSON.parse(ran.stdout) as { leases: { leaseId: string }[] };
    expect(leases.map(({ leaseId }) => leaseId)).toEqual(booking?.leaseIds);
  });

  test("typed again after a lost answer are the same leases", async () => {
    const right = server.routes["POST /v1/client/bookings"];
    server.routes["POST /v1/client/bookings"] = () => ({ hangUp: true });
    expect((await cli(...MANY)).exitCode).toBe(1);
    server.routes = right ? { "POST /v1/client/bookings": right } : {};
    expect((await cli(...MANY)).exitCode).toBe(0);
    expect(new Set(bookings().map((one) => JSON.stringify(one))).size).toBe(1);
  });

  test("need as many ids as there are partitions", async () => {
    const ran = await cli(...MANY, "--id", `${id("lease")},${id("lease", "1")}`);
    expect(ran).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("3 partitions") });
  });

  test("show the price of all before they are booked, or how many there are", async () => {
    const together = {
      wanted: 2,
      matches: [MATCH, { ...MATCH, partition: null }],
      perHourMicros: "212000",
      totalMicros: "40000",
    };
    server.routes["POST /v1/client/searches"] = () => ({ json: foundOf([MATCH], { together }) });
    const asked = await cli("lease", "create", ...NEED, "--count", "2");
    expect(asked.stderr).toContain("attic/guest, attic (carved): 1 core, 512MiB, disk 1GiB each");
    expect(asked.stderr).toContain("at most 0.04 EUR in all. Book them?");
    const few = { ...together, wanted: 3 };
    server.routes["POST /v1/client/searches"] = () => ({
      json: foundOf([MATCH], { together: few }),
    });
    const short = await cli("lease", "create", ...NEED, "--count", "3");
    expect(short.stderr).toContain("2 of 3 can be had at once");
    const searched = await cli("search", ...NEED, "--count", "3");
    expect(searched.stdout).toContain("of 3 at once there are 2: attic/guest, attic (carved)");
    expect(bookings()).toEqual([]);
  });
});

test("search shows the nearest counter-offer of each that does not match, in one line", async () => {
  const reasons = [{ code: "taken", message: "it is taken" }];
  const mismatch = { ...{ offerId: id("offer"), host: MATCH.host, reasons }, partition: null };
  const size = { cpuMilli: 1000, memoryBytes: 512 * 2 ** 20, diskBytes: 2 ** 30 };
  server.routes["POST /v1/client/searches"] = () => ({
    json: foundOf([], {
      mismatches: [
        { ...mismatch, counter: { kind: "start", start: "2027-01-01T08:00:00.000Z" } },
        { ...mismatch, counter: { kind: "start", start: "2027-01-01T08:00:30.000Z" } },
        { ...mismatch, counter: { kind: "size", size: { ...size, cpuMilli: 500 } } },
        { ...mismatch, counter: { kind: "size", size: { ...size, memoryBytes: 2 ** 30 } } },
        {
          ...mismatch,
          counter: { kind: "size", size: { ...size, cpuMilli: 500, memoryBytes: 2 ** 30 } },
        },
        { ...mismatch, counter: { kind: "duration", durationSeconds: 3 * 3600 } },
        { ...mismatch, counter: null },
      ],
    }),
  });
  const ran = await cli("search", ...NEED);
  const lines = ran.stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(lines.slice(2).map(([, , instead]) => instead)).toEqual([
    "INSTEAD",
    "from 2027-01-01 08:00Z",
    "from 2027-01-01 08:00:30Z",
    "smaller: 0.5 cores",
    "larger: 1GiB of memory",
    "another size: 0.5 cores, 1GiB of memory",
    "for 3h",
    "-",
    undefined,
  ]);
  expect(ran.stdout).toContain("attic (carved)");
});

test("what is paid by use is told apart from what is fixed", async () => {
  const quote = { ...MATCH.quote, meteredMaxMicros: "15000" };
  server.routes["POST /v1/client/searches"] = () => ({ json: foundOf([{ ...MATCH, quote }]) });
  const ran = await cli("search", ...NEED, "--shared");
  expect(JSON.parse(server.requests.at(-1)?.body ?? "")).toMatchObject({ cpuMode: "shared" });
  expect(ran.stdout).toContain("0.02 EUR (0.015 of it by use)");
});

describe("lease extend", () => {
  const leaseId = id("lease");
  const extend = ["lease", "extend", leaseId, "--for", "1h"];
  const pending = {
    extensionId: id("extension"),
    state: "pending" as const,
    end: "2027-01-31T09:10:00.000Z",
    additionalMicros: "110000",
    reason: null,
    createdAt: "2027-01-31T08:00:00.000Z",
    settledAt: null,
  };
  const asked = () => server.requests.filter(({ method }) => method === "PUT");
  const answers = (extensionId = pending.extensionId) => ({
    json: leaseOf({ leaseId, state: "ready", extensions: [{ ...pending, extensionId }] }),
  });

  test("repeats under the same id while no answer comes, and tells that it is pending", async () => {
    let lost = 2;
    server.routes["PUT /v1/client/leases/*/extensions/*"] = (_, [, extensionId]) =>
      lost-- > 0 ? { hangUp: true } : answers(extensionId as typeof pending.extensionId);
    const ran = await cli(...extend, "--max-cost", "0.20", "--yes");
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ran.stdout).toContain("to 2027-01-31 09:10:00Z for at most 0.11 EUR more: pending");
    expect(asked()).toHaveLength(3);
    expect(new Set(asked().map(({ path }) => path)).size).toBe(1);
    expect(JSON.parse(asked()[0]?.body ?? "")).toEqual({
      seconds: 3600,
      maxAdditionalMicros: "200000",
    });
  });

  test("without --yes and without a terminal shows what it adds and extends nothing", async () => {
    const quote = leaseOf().quote;
    const json = { leaseId, end: pending.end, quote, additionalMicros: "110000" };
    server.routes["POST /v1/client/leases/*/extension-quotes"] = () => ({ json });
    const ran = await cli(...extend);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("until 2027-01-31 09:10:00Z, at most 0.11 more. Extend it?");
    const limited = await cli(...extend, "--max-cost", "0.10");
    expect(limited.stderr).toContain("raise it or extend by less");
    expect(asked()).toEqual([]);
  });

  test("--wait for one that lapses is a failure that says why", async () => {
    server.routes["PUT /v1/client/leases/*/extensions/*"] = () => answers();
    const lapsed = { ...pending, state: "lapsed" as const, reason: "not-acknowledged" };
    const lease = leaseOf({ leaseId, state: "ready", extensions: [lapsed] });
    server.routes["GET /v1/leases/*"] = () => ({ json: { lease, events: [] } });
    const ran = await cli(...extend, "--id", pending.extensionId, "--yes", "--wait", "--json");
    expect(ran.exitCode).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: { code: "extension-lapsed", about: { reason: "not-acknowledged" } },
    });
  });
});

test("search shows what matches, and what does not and why", async () => {
  server.routes["POST /v1/client/searches"] = () => ({
    json: {
      ...foundOf([MATCH]),
      mismatches: [
        {
          ...{ offerId: id("offer", "2"), counter: null },
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
