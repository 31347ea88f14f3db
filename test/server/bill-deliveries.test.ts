import { PassThrough } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "../../src/api/client/client.ts";
import { deliverOnce } from "../../src/billing/delivery/deliver-once.ts";
import { queueDeliveries } from "../../src/billing/delivery/store.ts";
import { transaction } from "../../src/database/transaction.ts";
import { deliveringOf } from "../../src/server/deliveries.ts";
import type { BillId, PartyId } from "../../src/unit/id.ts";
import { runCli } from "../cli/run-cli.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { billedLease, later, queueLater } from "./billed.ts";
import { type Market, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";
import { startReceiver } from "./receiver.ts";

let server: TestServer;
let market: Market;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let billId: BillId;
let provider: Client;
beforeAll(async () => {
  server = await startTestServer(undefined, { allowPrivateWebhooks: true });
  market = await openMarket(server);
  receiver = await startReceiver();
  billId = await billedLease(market);
  ({ client: provider } = await server.party("provider", ["provider"]));
});
afterAll(async () => {
  await server.stop();
  await receiver.stop();
});

const setOf = (client: Client, address: string, party?: string) =>
  client.call("setDeliveryTarget", {
    body: { kind: "webhook", address, ...(party === undefined ? {} : { party }) },
  });
const addressesOf = async (client: Client) =>
  (await client.call("listDeliveryTargets")).targets.map(({ address }) => address);
const removeAll = async () => {
  const { targets } = await server.operator.call("listDeliveryTargets");
  for (const { targetId } of targets) {
    await server.operator.call("removeDeliveryTarget", { params: { targetId } });
  }
};

test("the operator sets it for any party, a provider for a customer, and nobody for others", async () => {
  const own = `${receiver.url}/own`;
  const byOperator = `${receiver.url}/operator`;
  const byProvider = `${receiver.url}/provider`;
  await setOf(market.client, own);
  await setOf(server.operator, byOperator, "client");
  const { target } = await setOf(provider, byProvider, "client");
  expect(target).toMatchObject({ party: { name: "client" }, seller: { name: "provider" } });
  expect(await codeOf(setOf(market.lender, own, "client"))).toBe("not-permitted");
  expect(await addressesOf(market.client)).toEqual([own, byOperator, byProvider]);
  expect(await addressesOf(provider)).toEqual([byProvider]);
  expect(await addressesOf(market.lender)).toEqual([]);
  const params = { targetId: target.targetId };
  for (const [client, code] of [
    [market.client, "not-permitted"],
    [market.lender, "not-found"],
  ] as const) {
    expect(await codeOf(client.call("removeDeliveryTarget", { params }))).toBe(code);
    expect(await codeOf(client.call("renewDeliverySecret", { params }))).toBe(code);
  }
  await removeAll();
});

test("what a provider sets is for the bills that it makes, and no others", async () => {
  const own = await setOf(market.client, `${receiver.url}/all`);
  await setOf(provider, `${receiver.url}/stranger`, "client");
  // The one who made this very bill, in the role that it would have as a provider.
  const seller = await market.lender.call("whoami");
  const made = await setOf(provider, `${receiver.url}/maker`, "client");
  await server.database.pool.query(
    "update delivery_target set seller_party_id = $1 where target_id = $2",
    [seller.partyId, made.target.targetId],
  );
  await queueLater(market, billId);
  const { deliveries } = await server.operator.call("listDeliveries", { query: { billId } });
  expect(deliveries.map((one) => one.target.targetId).toSorted()).toEqual([
    ...[own.target.targetId, made.target.targetId].toSorted(),
  ]);
  await removeAll();
});

test("a bill that is not closed after all is not sent: both or neither", async () => {
  const { target } = await setOf(market.client, `${receiver.url}/rolled-back`);
  const { partyId } = await market.client.call("whoami");
  const queued = { billId, customerPartyId: partyId as PartyId, now: new Date() };
  const undone = transaction(server.database, async (tx) => {
    expect(await queueDeliveries(tx, queued)).toBe(1);
    expect(await queueDeliveries(tx, queued)).toBe(1);
    throw new Error("the bill's transaction failed");
  });
  await expect(undone).rejects.toThrow("the bill's transaction failed");
  const { rows } = await server.database.pool.query("select 1 from delivery where target_id = $1", [
    target.targetId,
  ]);
  expect(rows).toEqual([]);
  await removeAll();
});

test("deliveries are seen by whose bills they are, by who set them and by the operator alone", async () => {
  const { client: stranger } = await server.party("stranger", ["lender", "client"]);
  await setOf(market.client, `${receiver.url}/seen`);
  await queueLater(market, billId);
  const list = async (client: Client) =>
    (await client.call("listDeliveries", { query: { limit: 1 } })).deliveries;
  const [mine] = await list(market.client);
  if (!mine) throw new Error("it was queued");
  expect(mine.target.address).toBe(`${receiver.url}/seen`);
  expect((await list(server.operator))[0]).toEqual(mine);
  expect(await list(stranger)).toEqual([]);
  const params = { deliveryId: mine.deliveryId };
  expect(await codeOf(stranger.call("showDelivery", { params }))).toBe("not-found");
  expect(await codeOf(stranger.call("redeliver", { params }))).toBe("not-found");
  await removeAll();
  const { delivery } = await market.client.call("showDelivery", { params });
  expect(delivery).toMatchObject({ state: "failed", failure: "taken away by operator" });
  expect(await codeOf(market.client.call("redeliver", { params }))).toBe("delivery-target-off");
});

test("a party has ten addresses at most, also when they are asked for at once", async () => {
  const { client } = await server.party("greedy", ["client"]);
  const asked = Array.from({ length: 14 }, (_, at) =>
    codeOf(setOf(client, `${receiver.url}/${at}`)),
  );
  const codes = await Promise.all(asked);
  expect(codes.filter((code) => code === "done")).toHaveLength(10);
  expect(new Set(codes)).toEqual(new Set(["done", "delivery-targets-too-many"]));
  await removeAll();
  const [first, again] = [await setOf(client, receiver.url), await setOf(client, receiver.url)];
  expect(again).toEqual({ target: first.target, secret: null });
  await removeAll();
});

test("a secret is shown once: neither lists, logs nor attempts have it, and mail has none", async () => {
  const written = new PassThrough();
  const log = pino({ level: "trace" }, written);
  const { secret } = await setOf(market.client, `${receiver.url}/secret`);
  await queueLater(market, billId);
  const delivering = deliveringOf(server.context);
  receiver.answerWith((response) => void response.writeHead(500).end());
  await deliverOnce({ ...delivering, db: { ...delivering.db, log } }, later);
  const readBill = async () => {
    throw new Error("the bill could not be read");
  };
  const db = { ...delivering.db, log };
  const muchLater = () => new Date(later().getTime() + 86_400_000);
  await deliverOnce({ ...delivering, db, readBill }, muchLater);
  const logged = String(written.read());
  expect(logged).toContain("the bill could not be read");
  const { deliveries } = await market.client.call("listDeliveries", { query: { limit: 1 } });
  const params = { deliveryId: deliveries[0]?.deliveryId ?? "delivery_" } as const;
  const shown = await market.client.call("showDelivery", { params });
  expect(shown.attempts).toHaveLength(2);
  const seen = JSON.stringify([shown, await market.client.call("listDeliveryTargets"), logged]);
  const bare = (secret ?? "").replace("whsec_", "");
  expect(bare).toHaveLength(44);
  expect(seen).not.toContain(bare.slice(0, 20));
  expect(seen).not.toContain(Buffer.from(bare, "base64").toString("hex").slice(0, 20));
  const scraped = await (await fetch(`${server.url}/metrics`)).text();
  expect(scraped).toMatch(/sublet_bill_deliveries\{kind="webhook",state="queued"\} 1\n/);
  expect(scraped).toMatch(/sublet_bill_deliveries\{kind="webhook",state="failed"\} [1-9]/);
  expect(scraped).toMatch(
    /sublet_bill_delivery_attempts_total\{kind="webhook",outcome="failed"\} 2\n/,
  );
  receiver.answerWith((response) => void response.writeHead(200).end());
  await removeAll();
});

test("attempts that were recorded never change", async () => {
  for (const text of ["update delivery_attempt set status = 1", "delete from delivery_attempt"]) {
    await expect(server.database.pool.query(text)).rejects.toMatchObject({ code: "SL003" });
  }
});

test("a person sets, sees, repeats and ends it on the command line", async () => {
  const folder = makeTempFolder("cli-deliver");
  const { key } = await server.operator.call("addKey", {
    params: { party: "client" },
    body: { label: "cli" },
  });
  const cli = (...argv: string[]) =>
    runCli(["bill", ...argv, "--server", server.url, "--key", key], folder.path);
  expect((await cli("deliver")).stdout).toContain("bills are sent nowhere");
  const url = `${receiver.url}/typed`;
  const set = await cli("deliver", "--webhook", url);
  expect(set.stdout).toMatch(/is shown this once:\n {2}whsec_\S{44}\n/);
  expect((await cli("deliver")).stdout).toMatch(/client +all +webhook +http:\S+\/typed +on/);
  expect((await cli("deliver", "--webhook", url)).stdout).not.toContain("whsec_");
  const renewed = await cli("deliver", "--webhook", url, "--renew-secret");
  expect(renewed.stdout).toMatch(/whsec_/);
  const mailed = await cli("deliver", "--mail", "a@b.example");
  expect(mailed).toMatchObject({ exitCode: 1, stdout: "" });
  expect(mailed.stderr).toContain("start it with --smtp and --mail-from");
  expect(await cli("deliver", "--off")).toMatchObject({ exitCode: 2 });
  const closed = await billedLease(market);
  await expect.poll(() => receiver.at("/typed").length, { timeout: 15_000 }).toBe(1);
  const listed = await cli("deliveries", "--bill", closed, "--json");
  const { deliveries } = JSON.parse(listed.stdout) as { deliveries: { deliveryId: string }[] };
  const id = deliveries[0]?.deliveryId ?? "";
  await expect
    .poll(async () => (await cli("deliveries", id)).stdout)
    .toMatch(/1 +\S+ \S+ +delivered +200/);
  expect((await cli("deliveries", "--bill", closed, "--failed")).stdout).toContain(
    "nothing failed",
  );
  expect((await cli("redeliver", id)).stdout).toContain("is sent to");
  await expect.poll(() => receiver.at("/typed").length, { timeout: 15_000 }).toBe(2);
  expect((await cli("deliver", "--webhook", url, "--off")).stdout).toContain("no longer sent");
  expect((await cli("deliver", "--webhook", url, "--off")).stderr).toContain("no bills of client");
  folder.remove();
});
