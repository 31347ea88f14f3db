import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sendWebhook } from "../../src/billing/delivery/webhook.ts";
import type { BillId } from "../../src/unit/id.ts";
import { billedLease, deliver, LATER_MS, later, queueLater } from "./billed.ts";
import { makeCertificate } from "./certificate.ts";
import { type Market, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";
import { isOurs, startReceiver } from "./receiver.ts";

let server: TestServer;
let market: Market;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let billId: BillId;
beforeAll(async () => {
  server = await startTestServer(undefined, { allowPrivateWebhooks: true });
  market = await openMarket(server);
  receiver = await startReceiver();
  billId = await billedLease(market);
});
afterAll(async () => {
  await server.stop();
  await receiver.stop();
});
afterEach(async () => {
  receiver.answerWith((response) => void response.writeHead(204).end());
  const { targets } = await market.client.call("listDeliveryTargets");
  for (const { targetId } of targets) {
    await market.client.call("removeDeliveryTarget", { params: { targetId } });
  }
});

/** A target of this test alone, and the bill queued for it. */
async function queueFor(path: string, url = receiver.url) {
  const body = { kind: "webhook" as const, address: `${url}${path}` };
  const { target, secret } = await market.client.call("setDeliveryTarget", { body });
  await queueLater(market, billId);
  const { deliveries } = await market.client.call("listDeliveries", { query: {} });
  const delivery = deliveries.find((one) => one.target.targetId === target.targetId);
  if (!delivery || secret === null) throw new Error("nothing was queued");
  return { targetId: target.targetId, deliveryId: delivery.deliveryId, secret };
}
const show = (deliveryId: `delivery_${string}`) =>
  market.client.call("showDelivery", { params: { deliveryId } });
const asSent = (text: string) => ({ ...JSON.parse(text) }) as Record<string, unknown>;

test("a bill that closes is sent by the server itself, signed as its receiver's few lines check", async () => {
  const body = { kind: "webhook" as const, address: `${receiver.url}/live` };
  const { secret } = await market.client.call("setDeliveryTarget", { body });
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const closed = await billedLease(market);
  await expect.poll(() => receiver.at("/live").length, { timeout: 15_000 }).toBe(1);
  const [message] = receiver.at("/live");
  if (!message || secret === null) throw new Error("it was received");
  expect(isOurs(message.headers, message.body, secret)).toBe(true);
  expect(isOurs(message.headers, `${message.body} `, secret)).toBe(false);
  expect(isOurs(message.headers, message.body, `whsec_${"A".repeat(43)}=`)).toBe(false);
  const old = { ...message.headers, "webhook-timestamp": "1000000000" };
  expect(isOurs(old, message.body, secret)).toBe(false);
  const { bill } = await market.client.call("showBill", { params: { billId: closed } });
  expect(asSent(message.body)).toMatchObject({
    type: "bill.closed",
    timestamp: bill.closedAt,
    data: {
      billId: closed,
      currency: "EUR",
      totalMicros: bill.totalMicros,
      client: { name: "client" },
      links: { bill: `${server.url}/v1/bills/${closed}` },
    },
  });
  const { deliveries } = await market.client.call("listDeliveries", { query: { billId: closed } });
  await expect
    .poll(async () => (await show(deliveries[0]?.deliveryId ?? "delivery_")).delivery.state)
    .toBe("delivered");
  expect(message.headers["webhook-id"]).toBe(deliveries[0]?.deliveryId);
});

test("a delivery that fails is tried again, later each time, under the same id", async () => {
  const { deliveryId } = await queueFor("/later");
  receiver.answerWith((response) => void response.writeHead(500).end("no"));
  expect(await deliver(market)).toBe(1);
  const { delivery: waiting, attempts } = await show(deliveryId);
  expect(attempts).toMatchObject([{ number: 1, outcome: "failed", status: 500 }]);
  expect(attempts[0]?.reply).not.toContain("no\n");
  expect(waiting).toMatchObject({ state: "queued", attempts: 1 });
  expect(Date.parse(waiting.dueAt ?? "")).toBeGreaterThan(Date.now() + LATER_MS + 5_000);
  expect(await deliver(market)).toBe(0);
  receiver.answerWith((response) => void response.writeHead(202).end());
  const afterwards = () => new Date(Date.parse(waiting.dueAt ?? ""));
  expect(await deliver(market, {}, afterwards)).toBe(1);
  expect(await deliver(market, {}, afterwards)).toBe(0);
  expect(await show(deliveryId)).toMatchObject({
    delivery: { state: "delivered", attempts: 2, dueAt: null },
    attempts: [{ number: 2, status: 202 }, { number: 1 }],
  });
  const [first, second] = receiver.at("/later");
  expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  expect(second?.body).toBe(first?.body);
});

test("after about a day of attempts it has failed, is seen so, and a person repeats it", async () => {
  const { deliveryId } = await queueFor("/failing");
  receiver.answerWith((response) => void response.writeHead(503).end());
  let now = later();
  const begin = now.getTime();
  for (let tries = 0; tries < 40; tries++) {
    await deliver(market, {}, () => now);
    const { delivery } = await show(deliveryId);
    if (delivery.dueAt === null) break;
    now = new Date(delivery.dueAt);
  }
  const hours = (now.getTime() - begin) / 3_600_000;
  expect(hours).toBeGreaterThan(12);
  expect(hours).toBeLessThan(36);
  const query = { state: "failed" as const };
  const { deliveries } = await market.client.call("listDeliveries", { query });
  expect(deliveries[0]).toMatchObject({
    ...{ deliveryId, state: "failed", attempts: 15 },
    failure: "after 15 attempts: the receiver answered 503",
  });
  receiver.answerWith((response) => void response.writeHead(200).end());
  await market.client.call("redeliver", { params: { deliveryId } });
  await expect
    .poll(async () => (await show(deliveryId)).delivery.state, { timeout: 15_000 })
    .toBe("delivered");
  expect((await show(deliveryId)).delivery.attempts).toBe(16);
  expect(new Set(receiver.at("/failing").map(({ headers }) => headers["webhook-id"]))).toEqual(
    new Set([deliveryId]),
  );
});

test("a receiver that is gone (410) turns its target off until somebody turns it on", async () => {
  const { deliveryId, targetId } = await queueFor("/gone");
  receiver.answerWith((response) => void response.writeHead(410).end());
  await deliver(market);
  expect((await show(deliveryId)).delivery).toMatchObject({
    state: "failed",
    failure: expect.stringContaining("410"),
    target: { disabledReason: expect.stringContaining("410") },
  });
  const next = await billedLease(market);
  const query = { billId: next };
  const { deliveries } = await market.client.call("listDeliveries", { query });
  expect(deliveries).toMatchObject([{ state: "failed", attempts: 0 }]);
  const again = () => market.client.call("redeliver", { params: { deliveryId } });
  expect(await codeOf(again())).toBe("delivery-target-off");
  const body = { kind: "webhook" as const, address: `${receiver.url}/gone` };
  const on = await market.client.call("setDeliveryTarget", { body });
  expect(on).toMatchObject({ target: { targetId, disabledAt: null }, secret: null });
  receiver.answerWith((response) => void response.writeHead(200).end());
  await again();
  await expect
    .poll(async () => (await show(deliveryId)).delivery.state, { timeout: 15_000 })
    .toBe("delivered");
});

test("a redirect is not followed", async () => {
  const { deliveryId } = await queueFor("/redirect");
  receiver.answerWith((response) => {
    response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end();
  });
  await deliver(market);
  expect((await show(deliveryId)).attempts).toMatchObject([
    { outcome: "failed", status: 307, reply: expect.stringContaining("not followed") },
  ]);
  expect(receiver.at("/elsewhere")).toEqual([]);
});

const BILL = {
  ...{ billId: "bill_x" as BillId, closedAt: "2027-01-31T08:00:00Z", total: "1.00 EUR" },
  ...{ summary: {}, statement: "", evidence: {} },
};
const attempt = (change: object) => ({
  ...{ deliveryId: "delivery_x", url: receiver.url, secrets: [Buffer.alloc(32)], bill: BILL },
  ...{ now: new Date(), allowPrivate: true, ...change },
});

test("a receiver that hangs, or answers without an end, is given up in time", async () => {
  receiver.answerWith(() => undefined);
  const begin = Date.now();
  const hung = await sendWebhook(attempt({ timeoutMs: 300 }));
  expect(hung).toMatchObject({ outcome: "failed", status: null, reply: "no answer within 0.3 s" });
  expect(Date.now() - begin).toBeLessThan(3000);
  let isClosed = false;
  receiver.answerWith((response) => {
    response.writeHead(200);
    response.on("close", () => {
      isClosed = true;
    });
    const write = () => {
      while (!isClosed && response.write(Buffer.alloc(65_536)));
    };
    response.on("drain", write);
    write();
  });
  expect(await sendWebhook(attempt({}))).toMatchObject({ outcome: "delivered", status: 200 });
  await expect.poll(() => isClosed).toBe(true);
});

test("receivers that hang keep back nobody else's bills", async () => {
  const hung = ["/h1", "/h2", "/h3"];
  for (const path of hung) await queueFor(path);
  receiver.answerWith((response, path) => {
    if (!hung.includes(path)) response.writeHead(200).end();
  });
  const { client } = await server.party("other", ["client"]);
  const party = await client.call("whoami");
  const body = { kind: "webhook" as const, address: `${receiver.url}/quick` };
  const { target } = await client.call("setDeliveryTarget", { body });
  await server.database.pool.query(
    "insert into delivery (delivery_id, bill_id, target_id, state, queued_at, due_at) values ($1, $2, $3, 'queued', $4, $4)",
    [`delivery_${"z".repeat(22)}`, billId, target.targetId, later()],
  );
  const readBill = async () => BILL;
  const lanes = [1, 2, 3].map(() => deliver(market, { readBill }));
  await expect.poll(() => receiver.at("/quick").length, { timeout: 10_000 }).toBe(1);
  const asked = hung.flatMap((path) => receiver.at(path));
  expect(asked).toHaveLength(2);
  receiver.answerWith((response) => void response.writeHead(200).end());
  await Promise.all(lanes);
  expect(party.name).toBe("other");
}, 90_000);

test("what leads into a private network is refused, by address, by name and at the connection", async () => {
  const strict = await startTestServer();
  try {
    const { client } = await strict.party("acme", ["client"]);
    const set = (address: string) =>
      client.call("setDeliveryTarget", { body: { kind: "webhook", address } });
    for (const address of [receiver.url, "https://127.0.0.1/x", "https://10.0.0.1/", "x"]) {
      expect(await codeOf(set(address))).toBe("webhook-refused");
    }
    await expect(set("https://u:geheim@example.org/")).rejects.not.toThrow("geheim");
  } finally {
    await strict.stop();
  }
  const before = receiver.received.length;
  for (const url of [receiver.url, `http://localhost:${receiver.port}`, "https://localhost:9/"]) {
    const refused = await sendWebhook(attempt({ url, allowPrivate: false }));
    expect(refused).toMatchObject({ outcome: "failed", status: null });
    expect(refused.reply).toContain("private network");
  }
  expect(receiver.received.length).toBe(before);
});

test("a receiver whose certificate nobody vouches for is not told anything", async () => {
  const { key, cert } = await makeCertificate();
  const heard: string[] = [];
  const https = createServer({ key, cert }, (request, response) => {
    heard.push(request.url ?? "");
    response.end();
  });
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const { port } = https.address() as AddressInfo;
  const outcome = await sendWebhook(attempt({ url: `https://localhost:${port}/` }));
  expect(outcome).toMatchObject({ outcome: "failed", reply: expect.stringMatching(/self-signed/) });
  expect(heard).toEqual([]);
  https.close();
});

test("a crash between sending and recording repeats the delivery with the same id", async () => {
  const { deliveryId } = await queueFor("/crash");
  const onSent = async () => {
    throw new Error("killed here");
  };
  await expect(deliver(market, { onSent })).rejects.toThrow("killed here");
  expect(receiver.at("/crash")).toHaveLength(1);
  expect(await deliver(market)).toBe(0);
  const claimOver = () => new Date(Date.now() + LATER_MS + 181_000);
  expect(await deliver(market, {}, claimOver)).toBe(1);
  const [first, second] = receiver.at("/crash");
  expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  expect(second?.body).toBe(first?.body);
  expect(await show(deliveryId)).toMatchObject({
    delivery: { state: "delivered", attempts: 2 },
    attempts: [{ number: 2, outcome: "delivered" }],
  });
});

test("of two servers on one database one sends a delivery, and once", async () => {
  const paths = Array.from({ length: 8 }, (_, index) => `/two${index}`);
  for (const path of paths) await queueFor(path);
  receiver.answerWith((response) => void setTimeout(() => response.writeHead(200).end(), 20));
  const sent = await Promise.all([1, 2, 3, 4].map(() => deliver(market)));
  // A party has two at once at the most, so some of the four find nothing that they may take.
  let all = sent.reduce((sum, one) => sum + one, 0);
  while (all < paths.length) all += await deliver(market);
  for (const path of paths) expect(receiver.at(path), path).toHaveLength(1);
});

test("a new secret and the one before it both sign for a day; then the new one alone", async () => {
  const { targetId, secret } = await queueFor("/renewed");
  const renewed = await market.client.call("renewDeliverySecret", { params: { targetId } });
  expect(renewed.secret).not.toBe(secret);
  const headersAt = async (clock: () => Date) => {
    await server.database.pool.query(
      "update delivery set state = 'queued', settled_at = null where target_id = $1",
      [targetId],
    );
    await deliver(market, {}, clock);
    return receiver.at("/renewed").at(-1)?.headers["webhook-signature"]?.toString().split(" ");
  };
  await server.database.pool.query(
    "update delivery set due_at = now() - interval '1 hour' where target_id = $1",
    [targetId],
  );
  await expect.poll(() => receiver.at("/renewed").length, { timeout: 15_000 }).toBe(1);
  const [message] = receiver.at("/renewed");
  if (!message || renewed.secret === null) throw new Error("it was received");
  expect(isOurs(message.headers, message.body, secret)).toBe(true);
  expect(isOurs(message.headers, message.body, renewed.secret)).toBe(true);
  expect(await headersAt(later)).toHaveLength(1);
});

test("the documented lines are those that are tested here", () => {
  const [page, source] = [
    "docs/operating/bills-by-webhook-and-mail.md",
    "test/server/receiver.ts",
  ].map((path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
  const lines = /documented lines\n([\s\S]*?)\/\/ end of/.exec(source ?? "")?.[1] ?? "none";
  const plain = lines
    .replace("export ", "")
    .replace(
      "headers: Record<string, unknown>, body: string, secret: string): boolean",
      "headers, body, secret)",
    );
  expect(page).toContain(plain.trim());
});
