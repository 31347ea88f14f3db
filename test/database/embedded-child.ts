import type { EmbeddedMode } from "../../src/database/embedded/launcher.ts";
import { startEmbeddedPostgres } from "../../src/database/embedded.ts";

/**
 * A process of its own that holds an embedded PostgreSQL, for tests that kill it.
 * `node embedded-child.ts FOLDER MODE` prints one line of JSON when it is ready or refused, and
 * ends PostgreSQL when its standard input closes.
 */
const [dataFolder = "", mode = "auto"] = process.argv.slice(2);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const ignore = () => undefined;
try {
  const server = await startEmbeddedPostgres({
    dataFolder,
    mode: mode as EmbeddedMode,
    log: { info: ignore, warn: ignore, error: ignore },
  });
  say({ connection: server.connection, postgresPid: server.pid, mode: server.mode });
  process.stdin.resume().once("end", () => void server.stop());
} catch (error) {
  say({ refusal: error instanceof Error ? { ...error, message: error.message } : String(error) });
}
