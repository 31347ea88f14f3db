import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { buildApp } from "../../src/api/app.ts";
import { type Client, createClient } from "../../src/api/client/client.ts";
import { ApiError } from "../../src/api/client/error.ts";
import type { ServerContext } from "../../src/api/context.ts";
import type { Database } from "../../src/database/connect.ts";
import type { Role } from "../../src/party/role.ts";
import { buildContext } from "../../src/server/build-context.ts";
import { toServerConfig } from "../../src/server/config.ts";
import { runPassesOnce } from "../../src/server/passes.ts";
import { startServing } from "../../src/server/serving.ts";
import { type Clock, systemClock } from "../../src/unit/clock.ts";
import { newId } from "../../src/unit/id.ts";
import { cloneDatabase } from "../setup/database.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

export interface TestServer {
  readonly url: string;
  readonly context: ServerContext;
  readonly database: Database;
  readonly operator: Client;
  /** A client that speaks with a key. */
  as(key: string): Client;
  party(name: string, roles: Role[]): Promise<{ client: Client; partyId: string }>;
  /** Runs the server's own passes now. */
  pass(): Promise<void>;
  stop(): Promise<void>;
}

/** A server on a database of its own, listening on loopback. */
export async function startTestServer(
  clock: Clock = systemClock,
  more: Partial<Parameters<typeof toServerConfig>[0]> = {},
): Promise<TestServer> {
  const folder = makeTempFolder("server");
  const clone = await cloneDatabase();
  const log: Logger = pino({ level: process.env.SUBLET_TEST_LOG ? "debug" : "silent" });
  const blobs = join(folder.path, "images");
  mkdirSync(blobs);
  const config = toServerConfig({ dataFolder: folder.path, listen: "127.0.0.1:0", ...more });
  const built = await buildContext(config, clone.database, log, { clock });
  const app = await buildApp(built.context);
  const serving = await startServing(app, built, config);
  const url = built.context.publicUrl();
  const as = (key: string) => createClient({ url, authorization: () => key });
  const operator = as(built.operatorKey ?? "");
  return {
    url,
    context: built.context,
    database: clone.database,
    operator,
    as,
    party: async (name, roles) => {
      const { party, key } = await operator.call("addParty", { body: { name, roles } });
      return { client: as(key), partyId: party.partyId };
    },
    pass: () => runPassesOnce(built.context),
    stop: async () => {
      await serving.stop();
      await clone.drop();
      folder.remove();
    },
  };
}

export async function depositFor(server: TestServer, party: string, micros: bigint): Promise<void> {
  const body = { depositId: newId("transaction"), party, amountMicros: micros.toString() };
  await server.operator.call("deposit", { body });
}

/** The code of the refusal that `call` ends with; `"done"` when it was not refused. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}
