import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { CARVE_OFFER, id, OFFER, partitionOf } from "./shapes.ts";

const MIB = 2 ** 20;
const folder = makeTempFolder("cli-lending");
let server: FakeServer;
let partitions: ReturnType<typeof partitionOf>[];

beforeAll(async () => {
  server = await startFakeServer();
  server.routes = {
    "GET /v1/lender/hosts/*": () => ({
      json: { host: hostOf(), partitions, lentCodes: [], events: EVENTS },
    }),
    "PUT /v1/lender/hosts/*/partitions/*": () => ({ json: partitionOf() }),
    "PUT /v1/lender/hosts/*/partitions/*/offer": () => ({ json: OFFER }),
    "PUT /v1/lender/hosts/*/offer": () => ({ json: CARVE_OFFER }),
    "GET /v1/lender/offers": () => ({ json: { offers: [OFFER, CARVE_OFFER] } }),
    "POST /v1/operator/deposits": () => ({ json: ACCOUNT }),
  };
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  server.requests.length = 0;
  partitions = [];
});

const cli = (...argv: string[]) => runCli(argv, folder.path, { server: server.url, key: "right" });
const sent = () => JSON.parse(server.requests.at(-1)?.body ?? "null");
const SIZE = ["--cpu", "2", "--memory", "512MiB", "--disk", "1GiB"];

describe("partition set", () => {
  test("makes a partition that is not lendable unless told", async () => {
    await cli("partition", "set", "attic", "guest", ...SIZE);
    const size = { cpuMilli: 2000, memoryBytes: 512 * MIB, diskBytes: 1024 * MIB };
    expect(sent()).toEqual({ lendable: false, cpuMode: "dedicated", size });
  });

  test("keeps what was not typed", async () => {
    partitions = [partitionOf()];
    await cli("partition", "set", "attic", "guest", "--cpu", "2");
    const size = { cpuMilli: 2000, memoryBytes: 512 * MIB, diskBytes: 1024 * MIB };
    const min = { cpuMilli: 1000, memoryBytes: 64 * MIB, diskBytes: 0 };
    expect(sent()).toEqual({ lendable: true, cpuMode: "dedicated", size, min, max: size });
  });

  test("of a new partition needs a whole size, and whole limits", async () => {
    expect(await cli("partition", "set", "attic", "guest", "--cpu", "1")).toMatchObject({
      exitCode: 2,
      stderr: "sublet: --memory, --disk is needed too\n",
    });
    expect(
      await cli("partition", "set", "attic", "guest", ...SIZE, "--min-cpu", "1"),
    ).toMatchObject({
      exitCode: 2,
      stderr: "sublet: --min-memory, --min-disk is needed too\n",
    });
  });
});

describe("offer set", () => {
  const FREE = {
    priceMicrosPerCoreHour: "0",
    priceMicrosPerSharedCoreHour: "0",
    priceMicrosPerMemoryGibHour: "0",
    priceMicrosPerDiskGibHour: "0",
    priceMicrosPerHour: "0",
    leaseSecondsMin: 60,
    leaseSecondsMax: 30 * 86_400,
    windows: [],
    timeZone: "UTC",
    borrowers: { who: "everyone" },
    labels: {},
    internet: false,
  };

  test("sends every condition as typed, and shows it", async () => {
    const conditions = ["--price-core", "0.10/h", "--price-shared-core", "0.08/h", "--internet"];
    const when = ["--window", "fri 22:00-06:00", "--time-zone", "Europe/Berlin"];
    const who = ["--only", "study, acme", "--label", "region=eu", "--label", "tier=a"];
    const ran = await cli("offer", "set", "attic", "guest", ...conditions, ...when, ...who);
    expect(server.requests.at(-1)?.path).toBe("/v1/lender/hosts/attic/partitions/guest/offer");
    expect(sent()).toEqual({
      ...FREE,
      priceMicrosPerCoreHour: "100000",
      priceMicrosPerSharedCoreHour: "80000",
      windows: [
        { days: ["fri"], from: "22:00", to: "24:00" },
        { days: ["sat"], from: "00:00", to: "06:00" },
      ],
      timeZone: "Europe/Berlin",
      borrowers: { who: "only", parties: ["study", "acme"] },
      labels: { region: "eu", tier: "a" },
      internet: true,
    });
    expect(ran.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ["when", "fri 22:00-24:00, sat 00:00-06:00 Europe/Berlin"],
        ["who", "only acme"],
        ["labels", "region=eu"],
        ["internet", "yes"],
      ]),
    );
  });

  test("--carve offers what may be carved from a host, in place of a partition", async () => {
    const max = ["--max-cpu", "8", "--max-memory", "16GiB", "--max-disk", "100GiB"];
    const ran = await cli("offer", "set", "attic", "--carve", ...max, "--except", "study");
    expect(server.requests.at(-1)?.path).toBe("/v1/lender/hosts/attic/offer");
    expect(sent()).toEqual({
      ...FREE,
      borrowers: { who: "except", parties: ["study"] },
      cpuMode: "dedicated",
      max: { cpuMilli: 8000, memoryBytes: 16_384 * MIB, diskBytes: 102_400 * MIB },
    });
    expect(ran.stdout).toContain("attic (carved)");
    expect(ran.stdout).toMatch(/at most +8 cores, 16GiB, disk 100GiB at once, dedicated cpu/);
  });

  test.each([
    [["attic"], "say which"],
    [["attic", "guest", "--carve"], "say which"],
    [["attic", "--carve", "--max-cpu", "8"], "--max-memory, --max-disk is needed too"],
    [["attic", "guest", "--max-cpu", "8"], "go with --carve"],
    [["attic", "guest", "--window", "always"], '--window: "always" is no weekly window'],
    [["attic", "guest", "--label", "eu"], '--label: "eu" is not a label'],
    [["attic", "guest", "--only", "a", "--except", "b"], "--only"],
  ])("%j is wrong usage", async (argv, message) => {
    const ran = await cli("offer", "set", ...argv);
    expect([ran.exitCode, ran.stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(server.requests).toEqual([]);
  });

  test("list shows partitions and what may be carved, each with its conditions", async () => {
    const ran = await cli("offer", "list");
    expect(ran.stdout).toMatch(/attic\/guest .* only acme +region=eu, internet/);
    expect(ran.stdout).toMatch(/attic \(carved\) .* always +everyone +-/);
  });
});

describe("account deposit", () => {
  test("sends micros under an id of its own making", async () => {
    const ran = await cli("account", "deposit", "acme", "25.10", "--json");
    expect(sent()).toMatchObject({ party: "acme", amountMicros: "25100000" });
    expect(JSON.parse(ran.stdout).depositId).toBe(sent().depositId);
  });

  test("without an answer says how to repeat it, and the id makes it one deposit", async () => {
    const right = server.routes["POST /v1/operator/deposits"];
    server.routes["POST /v1/operator/deposits"] = () => ({ hangUp: true });
    const lost = await cli("account", "deposit", "acme", "1");
    expect(lost.exitCode).toBe(1);
    const { depositId } = sent();
    expect(lost.stderr).toContain(`\`sublet account deposit acme 1 --id ${depositId}\``);
    if (right) server.routes["POST /v1/operator/deposits"] = right;
    await cli("account", "deposit", "acme", "1", "--id", depositId);
    expect(sent().depositId).toBe(depositId);
  });
});

describe("host", () => {
  test("show tells state, leases and what happened of late", async () => {
    const { stdout } = await cli("host", "show", "attic");
    expect(stdout).toMatch(/state +seen/);
    expect(stdout).toMatch(/leases +taken/);
    expect(stdout).toMatch(/2027-01-31 07:00:00Z +back +was lost, silentSeconds 700/);
  });

  test("drain and its undoing say what holds then", async () => {
    const answer = { ...hostOf(), drainedAt: "2027-01-31T08:00:00Z" };
    server.routes["PUT /v1/lender/hosts/*/drain"] = () => ({ json: answer });
    const { stdout } = await cli("host", "drain", "attic");
    expect(sent()).toEqual({ drained: true });
    expect(stdout).toMatch(/leases +no new ones since 2027-01-31 08:00:00Z \(drained\)/);
    await cli("host", "drain", "attic", "--undo");
    expect(sent()).toEqual({ drained: false });
  });

  test("removal of a dead host is declared by its name, and says which leases ended", async () => {
    const removed = { hostId: id("host"), removedAt: "2027-01-31T08:00:00Z" };
    const answer = { ...removed, endedLeaseIds: [id("lease")] };
    server.routes["POST /v1/lender/hosts/*/removal"] = () => ({ json: answer });
    await cli("host", "remove", "attic");
    expect(sent()).toEqual({ dead: false });
    const { stdout } = await cli("host", "remove", "attic", "--dead", "--confirm", "attic");
    expect(sent()).toEqual({ dead: true, confirmName: "attic" });
    expect(stdout).toContain(`is removed; these leases ended: ${id("lease")}`);
  });

  test("maintenance takes times as people type them", async () => {
    server.routes["PUT /v1/lender/hosts/*/maintenance"] = () => ({ json: hostOf() });
    const start = "2027-01-31T08:00:00.000Z";
    const until = ["--until", "2027-01-31T09:00Z"];
    await cli("host", "maintenance", "attic", "--from", "2027-01-31T08:00Z", ...until);
    expect(sent()).toEqual({ maintenance: { start, end: "2027-01-31T09:00:00.000Z" } });
    await cli("host", "maintenance", "attic", "--from", "2027-01-31T08:00Z");
    expect(sent()).toEqual({ maintenance: { start, end: null } });
    await cli("host", "maintenance", "attic", "--off");
    expect(sent()).toEqual({ maintenance: null });
    expect(await cli("host", "maintenance", "attic", "--until", "soon")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--until"),
    });
  });
});

test("a server that answers in another way is told apart from one that refuses", async () => {
  server.routes["GET /v1/account"] = () => ({ json: { balance: 1 } });
  const ran = await cli("account", "show");
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr).toContain("answered in a way this version does not know");
});

const ACCOUNT = {
  party: { id: id("party"), name: "acme" },
  currency: "EUR",
  balanceMicros: "1000000",
  holdsMicros: "0",
  creditLimitMicros: "0",
  freeMicros: "1000000",
  holds: [],
  earnedMicros: "0",
  paidOutMicros: "0",
  earningsMicros: "0",
  payoutDueMicros: "0",
  server: null,
};

const EVENTS = [
  { at: "2027-01-31T07:00:00Z", kind: "back", detail: { was: "lost", silentSeconds: 700 } },
];

function hostOf() {
  const none = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0 };
  return {
    hostId: id("host"),
    name: "attic",
    lender: { id: id("party"), name: "acme" },
    state: "seen",
    seenAt: "2027-01-31T08:00:00Z",
    drainedAt: null,
    maintenance: null,
    removedAt: null,
    architecture: "x86_64",
    facts: null,
    reserve: none,
    base: none,
    standby: none,
    free: none,
  };
}
