import { afterAll, beforeAll, expect, test } from "vitest";
import { powerOrderSchema } from "../../src/enablement/power.ts";
import { verify } from "../../src/signature/envelope.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { becomeReady, bookingOf, type Market, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
let leaseId: LeaseId;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
});
afterAll(() => server.stop());

const set = (state: "on" | "off" | "restart", generation: number) =>
  market.client.call("setPower", { params: { leaseId }, body: { state, generation } });

test("there is no power to set before the guest is delivered", async () => {
  expect(await codeOf(set("off", 1))).toBe("lease-not-ready");
  await becomeReady(market.host, leaseId);
});

test("a wish is one wish however often it is sent, and reaches the host signed", async () => {
  const first = await set("off", 1);
  expect(first.power).toEqual({ state: "off", generation: 1, doneGeneration: 0 });
  expect(await set("off", 1)).toEqual(first);
  const desired = await market.host.agent.call("readDesired");
  const jws = desired.leases.find((lease) => lease.leaseId === leaseId)?.powerJws ?? "";
  const keys = market.host.serverKeys;
  expect(verify({ jws, typ: "sublet-power", keys, schema: powerOrderSchema })).toMatchObject({
    payload: { aud: market.host.hostId, leaseId, state: "off", generation: 1 },
  });
  const { events } = await market.client.call("showLease", { params: { leaseId } });
  expect(events.filter(({ kind }) => kind === "power-asked")).toMatchObject([
    { detail: { state: "off", generation: 1, by: "client" } },
  ]);
});

test("of two wishes at once one is taken, and the other is told of it", async () => {
  const codes = await Promise.all([codeOf(set("on", 2)), codeOf(set("restart", 2))]);
  expect(codes.sort()).toEqual(["done", "power-changed"]);
  expect(await codeOf(set("off", 7))).toBe("power-changed");
});

test("what the host has done is an event that says who asked, and counts up to what was asked", async () => {
  const done = { leaseId, reason: "asked-by-client", isDone: true } as const;
  await market.host.report({ kind: "powered-on", generation: 9, ...done });
  const power = async () =>
    (await market.client.call("showLease", { params: { leaseId } })).lease.power;
  expect((await power()).doneGeneration).toBe(0);
  await market.host.report({ kind: "powered-on", generation: 2, ...done });
  expect((await power()).doneGeneration).toBe(2);
  await market.host.report({ kind: "powered-off", generation: 1, ...done });
  expect((await power()).doneGeneration).toBe(2);
  const { events } = await market.client.call("showLease", { params: { leaseId } });
  expect(events.at(-1)).toMatchObject({
    ...{ kind: "powered-off", reason: "asked-by-client" },
    detail: { generation: 1, by: "client" },
  });
});

test("only the client of a lease sets its power and sees its console", async () => {
  const { client: other } = await server.party("other", ["client"]);
  const params = { leaseId };
  expect(await codeOf(other.call("readConsole", { params }))).toBe("not-found");
  const body = { state: "off", generation: 3 } as const;
  expect(await codeOf(other.call("setPower", { params, body }))).toBe("not-found");
});

test("a console is asked of the host and answered through whichever server it talks to", async () => {
  const asked = market.client.call("readConsole", { params: { leaseId } });
  const { agent } = market.host;
  const requests = async () => (await agent.call("readDesired")).consoleRequests;
  await expect.poll(requests, { timeout: 3000 }).toMatchObject([{ leaseId }]);
  const [request] = await requests();
  const contentBase64 = Buffer.from("boot\u001b[31m red\n").toString("base64");
  const params = { requestId: request?.requestId ?? newId("console") };
  const answer = () => agent.call("answerConsole", { params, body: { contentBase64 } });
  expect(await answer()).toEqual({ isAwaited: true });
  expect(await asked).toEqual({ leaseId, text: "boot\u001b[31m red\n" });
  expect(await answer()).toEqual({ isAwaited: false });
  expect(await requests()).toEqual([]);
});

test("a host that is away is named after ten seconds, and nothing is left of the question", async () => {
  const began = performance.now();
  const refused = market.client.call("readConsole", { params: { leaseId } });
  await expect(refused).rejects.toMatchObject({ code: "host-silent", httpStatus: 504 });
  expect(performance.now() - began).toBeLessThan(15_000);
  const { rows } = await server.database.pool.query("select 1 from console_request");
  expect(rows).toEqual([]);
}, 20_000);
