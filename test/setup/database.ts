import { inject } from "vitest";
import { connect, type Database, type DatabaseAddress } from "../../src/database/connect.ts";
import { testLog } from "./log.ts";
import { addressOf, cloneTemplate, dropDatabase, type TestServer } from "./template.ts";

export interface ClonedDatabase {
  readonly database: Database;
  /** For a second pool on the same database, such as another server's. */
  readonly connection: DatabaseAddress;
  drop(): Promise<void>;
}

/** A migrated, empty database for one test file. Call `drop` in `afterAll`. */
export function cloneDatabase(): Promise<ClonedDatabase> {
  return clone(inject("testServer"));
}

/** A database without any migration. */
export function emptyDatabase(): Promise<ClonedDatabase> {
  return clone({ ...inject("testServer"), template: "template0" });
}

async function clone(server: TestServer): Promise<ClonedDatabase> {
  const name = await cloneTemplate(server);
  const connection = addressOf(server, name);
  const database = await connect({ connection, log: testLog, poolMax: POOL_MAX });
  return {
    database,
    connection,
    drop: async () => {
      await database.close();
      await dropDatabase(server, name);
    },
  };
}

/** Two files at a time, perhaps two servers each, within the server's 100 connections. */
const POOL_MAX = 8;
