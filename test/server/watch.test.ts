import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readEnvironment } from "../../src/cli/environment.ts";
import { run } from "../../src/cli/run.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { newId } from "../../src/unit/id.ts";
import { until } from "../guest/processes.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { becomeReady, bookingOf, type Market, openMarket } from "./fake-host.ts";
import { startTestServer, type TestServer } from "./harness.ts";

const folder = makeTempFolder("server-watch");
let server: TestServer;
let market: Market;
let key = "";
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  const params = { party: "client" };
  key = (await server.operator.call("addKey", { params, body: { label: "watch" } })).key;
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

test("lease list --watch follows a real server by its streams", async () => {
  const listening = vi.spyOn(server.context.changes, "subscribe");
  let text = "";
  const stdout = new PassThrough().on("data", (chunk) => (text += chunk));
  const env = { SUBLET_CONFIG: folder.path, SUBLET_SERVER: server.url, SUBLET_KEY: key };
  const ended = run(["lease", "list", "--watch"], {
    environment: readEnvironment(env),
    clock: systemClock,
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
  });
  const shows = (word: string) =>
    until(`the watch shows ${word}`, async () => (text.includes(word) ? true : undefined));
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  await shows("preparing");
  await becomeReady(market.host, leaseId);
  await shows("ready (was preparing)");
  expect(listening).toHaveBeenCalledWith(leaseId, expect.any(Function));
  process.emit("SIGINT");
  expect(await ended).toBe(0);
  expect(text).toContain(leaseId);
});
