import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import pg from "pg";
import type { DatabaseAddress } from "../../src/database/connect.ts";

export interface TestServer {
  readonly address: DatabaseAddress;
  readonly template: string;
}

/** Creating from a template fails while another session is connected to it: one at a time. */
const TEMPLATE_LOCK = "7239105847";

/** Makes a new database, fills it, and closes it to connections so that it can be copied. */
export async function createTemplate(
  server: TestServer,
  fill: (address: DatabaseAddress) => Promise<void>,
): Promise<{ name: string; drop(): Promise<void> }> {
  await dropLeftOvers(server);
  const name = newName();
  await administer(server, (client) => client.query(`create database ${name}`));
  const drop = () =>
    administer(server, (client) => client.query(`drop database if exists ${name} with (force)`));
  try {
    await fill(addressOf(server, name));
    await administer(server, (client) =>
      client.query(`alter database ${name} allow_connections false`),
    );
  } catch (error) {
    await drop();
    throw error;
  }
  return { name, drop };
}

/** Copies the template; returns the copy's name. */
export async function cloneTemplate(server: TestServer): Promise<string> {
  const name = newName();
  await administer(server, async (client) => {
    await client.query(`select pg_advisory_lock(${TEMPLATE_LOCK})`);
    await client.query(`create database ${name} template ${server.template}`);
  });
  return name;
}

export async function dropDatabase(server: TestServer, name: string): Promise<void> {
  await administer(server, (client) =>
    client.query(`drop database if exists ${name} with (force)`),
  );
}

export function addressOf(server: TestServer, name: string): DatabaseAddress {
  if (!("url" in server.address)) return { ...server.address, database: name };
  const url = new URL(server.address.url);
  url.pathname = `/${name}`;
  return { url: url.href };
}

async function administer(
  { address }: TestServer,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client("url" in address ? { connectionString: address.url } : address);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Drops what runs of this computer left on a server that stays, when they were killed outright. */
async function dropLeftOvers(server: TestServer): Promise<void> {
  await administer(server, async (client) => {
    const found = await client.query<{ name: string }>(
      "select datname as name from pg_database where starts_with(datname, $1)",
      [HOST_PREFIX],
    );
    for (const { name } of found.rows) {
      const pid = name.slice(HOST_PREFIX.length).split("_")[0];
      if (existsSync(`/proc/${pid}`)) continue;
      await client.query(`drop database if exists ${name} with (force)`);
    }
  });
}

const HOST_PREFIX = `sublet_test_${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}_`;

function newName(): string {
  return `${HOST_PREFIX}${process.pid}_${crypto.randomUUID().slice(0, 8)}`;
}
