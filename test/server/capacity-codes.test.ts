import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../src/api/client/client.ts";
import { providerCardSchema } from "../../src/enablement/capacity/card.ts";
import { newClaimNumber } from "../../src/enablement/capacity/claim-number.ts";
import { capacityCodeSchema } from "../../src/enablement/capacity/code.ts";
import { verify } from "../../src/signature/envelope.ts";
import { generateKey, importPublicKey, keyRing } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import {
  type CapacityMarket,
  confirmFarHost,
  farHost,
  openCapacityMarket,
  TERMS,
} from "./capacity-market.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: CapacityMarket;
beforeAll(async () => {
  server = await startTestServer();
  market = await openCapacityMarket(server);
});
afterAll(() => server.stop());

const ask = (change: object = {}) =>
  market.owner.call("requestCapacity", {
    body: {
      ...{ requestId: newId("request"), host: "h1", resource: "cpu" as const },
      ...{ quantity: 2000, forSeconds: 30 * 86_400, ...change },
    },
  });
const issue = (request: string | { requestJws: string }, codeId = newId("code")) =>
  market.provider.call("issueCode", { body: { codeId, request: request as never } });
const anyone = () => createClient({ url: server.url });
const claim = (number: string, claimant = "a-claimant-of-the-test") =>
  anyone().call("claimCode", { body: { number, claimant } });

test("a code contains its resource-time, resource and terms, and verifies by the pinned card alone", async () => {
  const { requestId } = await ask();
  const { code } = await issue(requestId);
  const { cardJws } = await market.provider.call("showProviderCard");
  const { keys } = providerCardSchema.parse(
    JSON.parse(Buffer.from(cardJws.split(".")[1] ?? "", "base64url").toString()),
  );
  const pinned = keyRing(keys.map((jwk) => importPublicKey(jwk)));
  const verified = verify({
    jws: code.codeJws,
    typ: "sublet-capacity-code",
    keys: pinned,
    schema: capacityCodeSchema,
  });
  expect(verified).toMatchObject({
    ok: true,
    payload: {
      iss: market.providerId,
      aud: market.host.hostId,
      customer: { id: market.ownerId, name: "owner" },
      ...{ requestId, resource: "cpu", quantity: 2000, sequence: 1 },
      // 60 core-days.
      resourceTime: (60n * 1000n * 86_400n * 1_000_000_000n).toString(),
      billingPeriod: TERMS.billingPeriod,
      tariff: { currency: "EUR", priceMicrosPerHour: "120000", rounding: "half-even" },
    },
  });
});

test("a code asked for twice is one code, and its number counts up for the host", async () => {
  const { requestId } = await ask();
  const codeId = newId("code");
  const first = await issue(requestId, codeId);
  const again = await issue(requestId, codeId);
  expect(again.code.codeJws).toBe(first.code.codeJws);
  expect(first.claimNumber).toMatch(/^(\w{5}-){3}\w{5}$/);
  expect(again.claimNumber).toBeNull();
  expect(await codeOf(issue(requestId))).toBe("request-settled");
  const { code } = await issue((await ask()).requestId);
  expect(code.sequence).toBe(first.code.sequence + 1);
  const { requests, codes } = await market.owner.call("listOwnCapacity");
  expect(requests.find((one) => one.requestId === requestId)?.state).toBe("issued");
  expect(codes.map((one) => one.codeId)).toContain(codeId);
});

test("more than is in standby, a part of a core, and what nobody sells are refused by name", async () => {
  expect(await codeOf(ask({ quantity: 3000 }))).toBe("standby-short");
  expect(await codeOf(ask({ quantity: 1500 }))).toBe("capacity-not-whole");
  expect(await codeOf(ask({ resource: "memory", quantity: 1000 }))).toBe("capacity-not-whole");
  const memory = await ask({ resource: "memory", quantity: 256 * 2 ** 20 });
  expect(await codeOf(issue(memory.requestId))).toBe("no-capacity-terms");
  expect(await codeOf(ask({ host: "elsewhere" }))).toBe("not-found");
  await server.party("other-vendor", ["provider"]);
  expect(await codeOf(ask())).toBe("provider-not-named");
  expect(await codeOf(ask({ provider: "vendor" }))).toBe("done");
  expect(await codeOf(ask({ provider: "owner" }))).toBe("not-found");
  await server.operator.call("listParties");
});

test("a request that was declined gets no code", async () => {
  const { requestId } = await ask({ provider: "vendor" });
  const declined = await market.provider.call("declineCapacity", { params: { requestId } });
  expect(declined.state).toBe("declined");
  expect(await codeOf(issue(requestId))).toBe("request-settled");
});

test("only the provider that was asked issues for a request", async () => {
  const { requestId } = await ask({ provider: "vendor" });
  const other = await server.party("third-vendor", ["provider"]);
  const body = { codeId: newId("code"), request: requestId };
  expect(await codeOf(other.client.call("issueCode", { body }))).toBe("not-found");
});

test("a claim number fetches its code once, for whoever asked first", async () => {
  const { code, claimNumber } = await issue((await ask({ provider: "vendor" })).requestId);
  const typed = claimNumber?.toLowerCase().replaceAll("-", " ") ?? "";
  expect(await claim(typed)).toEqual({ codeId: code.codeId, codeJws: code.codeJws });
  // An answer can be lost: the same claimant may ask again.
  expect(await claim(typed)).toEqual({ codeId: code.codeId, codeJws: code.codeJws });
  expect(await codeOf(claim(typed, "somebody-else-entirely"))).toBe("claim-used");
});

test("a mistyped number is told by its group, an unknown one is counted, and many are refused", async () => {
  const { claimNumber } = await issue((await ask({ provider: "vendor" })).requestId);
  const number = claimNumber ?? "";
  const wrong = number.slice(0, 7) + (number[7] === "A" ? "B" : "A") + number.slice(8);
  await expect(claim(wrong)).rejects.toMatchObject({
    code: "claim-mistyped",
    message: expect.stringContaining("group 2"),
  });
  for (let tries = 0; tries < 10; tries++) {
    expect(await codeOf(claim(newClaimNumber()))).toBe("claim-unknown");
  }
  expect(await codeOf(claim(number))).toBe("claims-too-many");
  await sql`delete from claim_attempt`.execute(server.database.kysely);
  expect(await codeOf(claim(number))).toBe("done");
});

test("a claim number lapses", async () => {
  const { code, claimNumber } = await issue((await ask({ provider: "vendor" })).requestId);
  await sql`update capacity_code set claim_expires_at = now() - interval '1 second'
    where code_id = ${code.codeId}`.execute(server.database.kysely);
  expect(await codeOf(claim(claimNumber ?? ""))).toBe("claim-expired");
});

test("a host without a network is registered by its card, confirmed by its owner, and asks by a file", async () => {
  const far = farHost("bunker");
  expect(await codeOf(issue({ requestJws: far.request() }))).toBe("signature-refused");
  const register = (cardJws: string, customer = "owner") =>
    market.provider.call("registerHost", { body: { cardJws, customer } });
  const wrapped = far.card().replace(/(.{60})/g, "$1\n  ");
  expect(await register(wrapped)).toMatchObject({
    ...{ hostId: far.hostId, name: "bunker", reached: "registered" },
    standby: { cpuMilli: 2000 },
  });
  expect(await codeOf(register(far.card({}, generateKey())))).toBe("signature-refused");
  expect(await codeOf(register(far.card(), "vendor"))).toBe("host-registered-otherwise");
  expect(await codeOf(register("nonsense"))).toBe("invalid-input");
  const another = generateKey();
  const stolen = far.card({ agentJwk: { ...another.publicJwk } }, another);
  expect(await codeOf(register(stolen))).toBe("host-registered-otherwise");

  const requestJws = far.request();
  expect(await codeOf(issue({ requestJws }))).toBe("host-unconfirmed");
  const byHand = sql`insert into capacity_code (code_id, provider_party_id, host_id,
    customer_party_id, sequence, jws, code, issued_at)
    values ('code_x', 'party_x', ${far.hostId}, 'party_x', 1, '', '{}', now())`;
  await expect(byHand.execute(server.database.kysely)).rejects.toMatchObject({
    constraint: "host_confirmed",
  });
  await expect(confirmFarHost(market.provider, far)).rejects.toMatchObject({ code: "not-found" });
  const otherKey = { ...far, key: another };
  await expect(confirmFarHost(market.owner, otherKey)).rejects.toMatchObject({
    code: "host-key-differs",
  });
  await confirmFarHost(market.owner, far);
  const { code } = await issue({ requestJws });
  expect(code).toMatchObject({ host: { name: "bunker" }, sequence: 1, quantity: 1000 });
  expect(await codeOf(issue({ requestJws }))).toBe("request-settled");
  const forged = far.request({ requestId: newId("request") }, another);
  expect(await codeOf(issue({ requestJws: forged }))).toBe("signature-refused");
  const foreign = far.request({ requestId: newId("request"), hostId: market.host.hostId });
  expect(await codeOf(issue({ requestJws: foreign }))).toBe("signature-refused");
});

test("a code that was issued never changes, by nobody", async () => {
  const change = sql`update capacity_code set code = '{}'`.execute(server.database.kysely);
  await expect(change).rejects.toMatchObject({ constraint: "append_only" });
  const gone = sql`delete from capacity_code`.execute(server.database.kysely);
  await expect(gone).rejects.toMatchObject({ constraint: "append_only" });
});
