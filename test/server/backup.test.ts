import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp } from "../../src/api/app.ts";
import { createClient } from "../../src/api/client/client.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { connect } from "../../src/database/connect.ts";
import { startEmbeddedPostgres } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrate.ts";
import { backUp } from "../../src/server/backup/back-up.ts";
import { restore } from "../../src/server/backup/restore.ts";
import { buildContext } from "../../src/server/build-context.ts";
import { toServerConfig } from "../../src/server/config.ts";
import { runPassesOnce } from "../../src/server/passes.ts";
import { startServing } from "../../src/server/serving.ts";
import { generateSealKeys } from "../../src/signature/sealed.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { exportOf } from "./exported.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { depositFor, type TestServer } from "./harness.ts";

const log = pino({ level: "silent" });
const temporary = makeTempFolder("backup");
const backup = join(temporary.path, "backup");
/** The same before and after, as it would be: hosts and clients know it. */
let listen = "127.0.0.1:0";
let server: TestServer;
let market: Market;
let billed: LeaseId;
let running: LeaseId;
const outputs = Buffer.from("what a run left, sealed");
let operatorKey = "";
/** Deposits that the server had acknowledged before the backup was asked for. */
let before = 0n;

/** A server on its own PostgreSQL in a data folder, as `sublet server` has it. */
async function startOn(folder: string): Promise<TestServer> {
  const config = toServerConfig({ dataFolder: folder, listen });
  const postgres = await startEmbeddedPostgres({ dataFolder: config.databaseFolder, log });
  const { connection } = postgres;
  const database = await connect({ connection, log, applicationName: "test" });
  await migrate(database);
  const built = await buildContext(config, database, log);
  const app = await buildApp(built.context);
  const serving = await startServing(app, built, config);
  const url = built.context.publicUrl();
  listen = new URL(url).host;
  operatorKey = built.operatorKey ?? operatorKey;
  const as = (key: string) => createClient({ url, authorization: () => key });
  const operator = as(operatorKey);
  return {
    ...{ url, context: built.context, database, operator, as },
    party: async (name, roles) => {
      const { party, key } = await operator.call("addParty", { body: { name, roles } });
      return { client: as(key), partyId: party.partyId };
    },
    pass: () => runPassesOnce(built.context),
    stop: async () => {
      await serving.stop();
      await database.close();
      await postgres.stop();
    },
  };
}

async function asked(of: TestServer, question: string): Promise<bigint> {
  const { rows } = await of.database.pool.query<{ answer: string }>(question);
  return BigInt(rows[0]?.answer ?? "-1");
}

async function lease(): Promise<LeaseId> {
  const leaseId = newId("lease");
  const outbox = { bytes: 4 * 2 ** 20, sealKey: generateSealKeys().publicKey };
  const run = { runId: newId("run"), kind: "detached" as const, command: "make", outbox };
  const body = { ...bookingOf(), run };
  await market.client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  await becomeReady(market.host, leaseId);
  return leaseId;
}

async function leaveOutputs(leaseId: LeaseId): Promise<void> {
  const digest = `sha256:${createHash("sha256").update(outputs).digest("hex")}`;
  await market.host.agent.fetch(`/v1/agent/leases/${leaseId}/outputs/${digest}`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body: new Uint8Array(outputs),
  });
}

async function finish(of: Market, leaseId: LeaseId): Promise<void> {
  const code = await readGrant(of.host, leaseId);
  const records = makeRecords(of.host, code, [60, 60]);
  await of.client.call("endLease", { params: { leaseId } });
  await of.host.agent.call("sendUsage", { body: { usageJws: signBatch(of.host, records) } });
  await becomeWiped(of.host, code, records);
  await of.server.pass();
}

beforeAll(async () => {
  server = await startOn(join(temporary.path, "server"));
  market = await openMarket(server);
  billed = await lease();
  await finish(market, billed);
  running = await lease();
  await leaveOutputs(running);
  let goesOn = true;
  let acknowledged = 0n;
  const load = (async () => {
    while (goesOn) {
      await depositFor(server, "client", 1_000_000n);
      acknowledged += 1n;
    }
  })();
  while (acknowledged < 20n) await new Promise((done) => setTimeout(done, 5));
  before = acknowledged;
  await backUp({
    dataFolder: join(temporary.path, "server"),
    target: backup,
    log,
    now: new Date(),
  });
  goesOn = false;
  await load;
  expect(acknowledged).toBeGreaterThan(before);
  await server.stop();
}, 120_000);
afterAll(async () => {
  await server.stop().catch(() => undefined);
  temporary.remove();
});

describe("a backup that was made while the server worked", () => {
  test("is restored into a server that knows all that was acknowledged before", async () => {
    const folder = join(temporary.path, "restored");
    await restore({ backup, dataFolder: folder, log });
    const keys = market.server.context.keys.all.map(({ x }) => x);
    server = await startOn(folder);
    expect(server.context.keys.all.map(({ x }) => x)).toEqual(keys);
    const posted = "select count(*)::text as answer from ledger_transaction";
    expect(await asked(server, posted)).toBeGreaterThan(before);
    const sum = "select sum(amount_micros)::text as answer from ledger_entry";
    expect(await asked(server, sum)).toBe(0n);
  }, 60_000);

  test("has its bills, which are verified, and its images", async () => {
    const { client } = market;
    const { lease: ended } = await client.call("showLease", { params: { leaseId: billed } });
    const { exported } = await exportOf(client, ended.billId);
    expect(verifyBill(exported, {})).toMatchObject({ verified: true });
    const { images } = await client.call("listImages");
    const digests = images.flatMap(({ manifest }) => manifest.parts.map(({ digest }) => digest));
    for (const digest of digests) {
      expect(await server.context.blobs.sizeBytes(digest)).toBeGreaterThan(0);
    }
  });

  test("has what runs left for their clients", async () => {
    const fetched = await market.client.fetch(`/v1/client/leases/${running}/outputs`);
    expect(Buffer.from(await fetched.arrayBuffer())).toEqual(outputs);
  });

  test("lets a lease that runs go on to its bill", async () => {
    await finish({ ...market, server }, running);
    const { lease: ended } = await market.client.call("showLease", {
      params: { leaseId: running },
    });
    expect(ended).toMatchObject({ state: "ended", billId: expect.any(String) });
  });
});

describe("a restore refuses", () => {
  const attempt = (from: string, name = "refused") =>
    restore({ backup: from, dataFolder: join(temporary.path, name), log });

  test("a folder that is not empty", async () => {
    await expect(attempt(backup, "restored")).rejects.toMatchObject({ code: "folder-not-empty" });
  });

  test("what is no whole backup", async () => {
    await expect(attempt(temporary.path)).rejects.toMatchObject({ code: "backup-incomplete" });
  });

  test("a file that is not what it was, and leaves no data folder", async () => {
    const path = join(backup, "database/postgres/global/pg_control");
    const whole = readFileSync(path);
    appendFileSync(path, "x");
    await expect(attempt(backup)).rejects.toThrow("global/pg_control of the backup is not what");
    writeFileSync(path, whole);
    expect(readdirSync(join(temporary.path, "refused"))).toEqual([]);
    expect(readdirSync(temporary.path).filter((name) => name.includes("restoring"))).toEqual([]);
  });

  test("a backup of a newer version, by name", async () => {
    const path = join(backup, "backup.json");
    const text = readFileSync(path, "utf8");
    const manifest = JSON.parse(text);
    manifest.migrations.push("9999_from_afar");
    writeFileSync(path, JSON.stringify({ ...manifest, version: "9.0.0" }));
    await expect(attempt(backup)).rejects.toThrow("of version 9.0.0, which has the migration 9999");
    writeFileSync(path, text);
  });
});

test("a backup refuses a target that is not empty, and a folder without a database", async () => {
  const given = { log, now: new Date() };
  const source = join(temporary.path, "server");
  await expect(backUp({ ...given, dataFolder: source, target: backup })).rejects.toMatchObject({
    code: "folder-not-empty",
  });
  const nowhere = { ...given, dataFolder: temporary.path, target: join(temporary.path, "new") };
  await expect(backUp(nowhere)).rejects.toMatchObject({ code: "no-database" });
  expect(existsSync(nowhere.target)).toBe(false);
});

test("a backup to where no folder can be made is refused, and does not try for ever", async () => {
  const dataFolder = join(temporary.path, "restored");
  await expect(
    backUp({ dataFolder, target: "/proc/no/such", log, now: new Date() }),
  ).rejects.toMatchObject({ code: "folder-not-made" });
});

test("a server that does not run is backed up as well", async () => {
  const target = join(temporary.path, "cold");
  const dataFolder = join(temporary.path, "server");
  const made = await backUp({ dataFolder, target, log, now: new Date() });
  expect(made.files).toBeGreaterThan(500);
  await restore({ backup: target, dataFolder: join(temporary.path, "cold-restored"), log });
});
