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
  const name = databaseName("template");
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
  const name = databaseName("test");
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

/** The pid tells a person whose it was, should a run be killed on a server that stays. */
function databaseName(kind: string): string {
  return `sublet_${kind}_${process.pid}_${crypto.randomUUID().slice(0, 8)}`;
}
