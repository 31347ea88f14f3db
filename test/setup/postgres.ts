import { connect } from "../../src/database/connect.ts";
import { startEmbeddedPostgres } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrate.ts";
import { testLog } from "./log.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { createTemplate, type TestServer } from "./template.ts";

declare module "vitest" {
  interface ProvidedContext {
    testServer: TestServer;
  }
}

interface Project {
  provide(key: "testServer", value: TestServer): void;
}

/**
 * One PostgreSQL for all test files of a run, with a migrated template that each of them clones.
 * It is an embedded one in a folder of its own, or the one that TEST_DATABASE_URL names.
 */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const { server, end } = await openServer();
  const template = await createTemplate(server, async (connection) => {
    const db = await connect({ connection, log: testLog });
    await migrate(db);
    await db.close();
  });
  project.provide("testServer", { ...server, template: template.name });
  return async () => {
    await template.drop();
    await end();
  };
}

async function openServer(): Promise<{ server: TestServer; end: () => Promise<void> }> {
  const url = process.env.TEST_DATABASE_URL;
  if (url !== undefined) {
    return { server: { address: { url }, template: "" }, end: () => Promise.resolve() };
  }
  const folder = makeTempFolder("postgres");
  const postgres = await startEmbeddedPostgres({
    dataFolder: folder.path,
    log: testLog,
    // A test run loses nothing by a power failure, and the disk is shared.
    settings: { fsync: "off", synchronous_commit: "off", max_connections: "100" },
  });
  return {
    server: { address: postgres.connection, template: "" },
    end: async () => {
      await postgres.stop();
      folder.remove();
    },
  };
}
