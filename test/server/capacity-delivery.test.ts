import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, expect, test } from "vitest";
import { buildApp } from "../../src/api/app.ts";
import { deliverOnce } from "../../src/billing/delivery/deliver-once.ts";
import { buildContext } from "../../src/server/build-context.ts";
import { toServerConfig } from "../../src/server/config.ts";
import { deliveringOf } from "../../src/server/deliveries.ts";
import { runPassesOnce } from "../../src/server/passes.ts";
import { startServing } from "../../src/server/serving.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { until } from "../guest/processes.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { NEXT_HOUR_MS, openCapacityBilling } from "./capacity-billing.ts";
import { startReceiver } from "./receiver.ts";

const more = { allowPrivateWebhooks: true };
const { billsOf, issue, market, newHost, send, server } = await openCapacityBilling(more);
const receiver = await startReceiver();
afterAll(async () => {
  await server.stop();
  await receiver.stop();
});

/** Another server on the same database, with its own loops. */
async function startSecond() {
  const folder = makeTempFolder("second-server");
  mkdirSync(join(folder.path, "images"));
  const config = toServerConfig({ dataFolder: folder.path, listen: "127.0.0.1:0", ...more });
  const log = pino({ level: "silent" });
  const built = await buildContext(config, server.database, log, { clock: systemClock });
  const serving = await startServing(await buildApp(built.context), built, config);
  return {
    context: built.context,
    stop: async () => {
      await serving.stop();
      folder.remove();
    },
  };
}

test("of two servers on one database one closes a capacity bill and one delivers it, each once", async () => {
  const second = await startSecond();
  const body = { kind: "webhook" as const, address: `${receiver.url}/capacity` };
  await market.owner.call("setDeliveryTarget", { body });
  const hosts = [await newHost(), await newHost(), await newHost()];
  for (const { host, name, ledger } of hosts) {
    const { code, jws } = await issue(name);
    ledger.accept(code, jws);
    const [meter] = ledger.begin(code, jws, [["p1", null]]);
    if (!meter) throw new Error("no meter");
    ledger.use(meter, NEXT_HOUR_MS, 600);
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
    await send(host, ledger);
  }
  const servers = [server.context, second.context];
  await Promise.all([...servers, ...servers].map((one) => runPassesOnce(one)));
  const bills = (await Promise.all(hosts.map(({ host }) => billsOf(host.hostId)))).flat();
  expect(bills.map(({ number }) => number)).toEqual([1, 1, 1]);
  // Beside the loops of both, which look by themselves.
  for (let round = 0; round < 3; round++) {
    await Promise.all(servers.map((one) => deliverOnce(deliveringOf(one), () => new Date())));
  }
  await until("three bills are sent", () => receiver.at("/capacity")[2]);
  await Promise.all(servers.map((one) => deliverOnce(deliveringOf(one), () => new Date())));
  const sent = receiver.at("/capacity");
  expect(new Set(sent.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
  expect(sent).toHaveLength(3);
  for (const { billId } of bills) expect(sent.some((one) => one.body.includes(billId))).toBe(true);
  await second.stop();
});
