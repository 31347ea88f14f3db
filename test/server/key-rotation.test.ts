import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../src/api/client/client.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey, type SigningKey } from "../../src/signature/key.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { exportOf } from "./exported.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type FakeHost,
  type Market,
  makeRecords,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(() => server.stop());

const rotation = (host: FakeHost, next: SigningKey, change: object = {}) => ({
  iss: host.hostId,
  aud: server.context.serverId,
  issuedAt: new Date().toISOString(),
  newJwk: { ...next.publicJwk },
  ...change,
});
const announce = (said: object, old: SigningKey, next: SigningKey) => {
  const byOldKeyJws = sign("sublet-key-rotation", said, old);
  const byNewKeyJws = sign("sublet-key-rotation", said, next);
  const anyone = createClient({ url: server.url });
  return anyone.call("rotateHostKey", { body: { byOldKeyJws, byNewKeyJws } });
};
/** The same host, speaking with another key. */
function withKey(host: FakeHost, key: SigningKey): FakeHost {
  const agent = createClient({
    url: server.url,
    authorization: () => {
      const iat = Math.floor(Date.now() / 1000);
      const claims = { iss: host.hostId, aud: server.context.serverId, iat, exp: iat + 60 };
      return sign("sublet-agent-token", claims, key);
    },
  });
  return {
    ...host,
    key,
    agent,
    report: async (...reports) => {
      const at = new Date().toISOString();
      const sent = reports.map((one) => ({ ...one, reportId: newId("report"), at }));
      const { refused } = await agent.call("report", { body: { reports: sent } as never });
      if (refused[0]) throw new Error(`${refused[0].code}: ${refused[0].message}`);
    },
  };
}

async function bookAndGrant(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  return leaseId;
}

async function endWith(host: FakeHost, signer: FakeHost, leaseId: LeaseId) {
  const granted = await readGrant(host, leaseId);
  await market.client.call("endLease", { params: { leaseId } });
  const records = makeRecords(signer, granted, [60, 60]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(signer, records) } });
  await becomeWiped({ ...host, key: signer.key }, granted, records);
  await server.pass();
  const { lease } = await market.client.call("showLease", { params: { leaseId } });
  return exportOf(market.client, lease.billId);
}

test("after a rotation the old key lets nobody in, and leases under it are still its own", async () => {
  const old = market.host;
  const running = await bookAndGrant();
  await becomeReady(old, running);
  const next = generateKey();
  const said = rotation(old, next);
  expect(await announce(said, old.key, next)).toEqual({ hostId: old.hostId, kid: next.kid });
  // The answer was lost: the same again is answered the same.
  expect(await announce(said, old.key, next)).toEqual({ hostId: old.hostId, kid: next.kid });
  expect(await codeOf(old.agent.call("readDesired"))).toBe("agent-key-retired");
  const host = withKey(old, next);
  const { events } = await market.lender.call("showHost", { params: { host: "h1" } });
  expect(events.filter(({ kind }) => kind === "key-rotated")).toHaveLength(1);

  // Its client, which may have pinned the old key, is shown how the new one was let in.
  const { lease } = await market.client.call("showLease", { params: { leaseId: running } });
  expect(lease.agentKeys).toEqual([
    { jwk: { ...old.key.publicJwk }, rotationJws: null },
    {
      jwk: { ...next.publicJwk },
      rotationJws: sign("sublet-key-rotation", said, old.key),
    },
  ]);
  const lenders = await market.lender.call("showLease", { params: { leaseId: running } });
  expect(lenders.lease.agentKeys).toBeNull();

  // What is said of the running lease counts under its own key, and under no other.
  const granted = await readGrant(host, running);
  const wrong = signBatch(host, makeRecords(host, granted, [60, 60]));
  expect(await codeOf(host.agent.call("sendUsage", { body: { usageJws: wrong } }))).toBe(
    "signature-refused",
  );
  const first = await endWith(host, old, running);
  expect(first.lease.agentKey?.kid).toBe(old.key.kid);
  expect(verifyBill(first.exported).verified).toBe(true);

  const second = await endWith(host, host, await bookAndGrant());
  expect(second.lease.agentKey?.kid).toBe(next.kid);
  expect(verifyBill(second.exported).verified).toBe(true);
  Object.assign(market, { host });
});

test("a new key counts only when both keys state it, for this server and this host", async () => {
  const { host } = market;
  const next = generateKey();
  const stranger = generateKey();
  const refused = (call: Promise<unknown>) => codeOf(call);
  expect(await refused(announce(rotation(host, next), stranger, next))).toBe("signature-refused");
  expect(await refused(announce(rotation(host, next), host.key, stranger))).toBe(
    "signature-refused",
  );
  const elsewhere = rotation(host, next, { aud: "server-other" });
  expect(await refused(announce(elsewhere, host.key, next))).toBe("signature-refused");
  const other = rotation(host, next, { iss: newId("host") });
  expect(await refused(announce(other, host.key, next))).toBe("signature-refused");
  await announce(rotation(host, next), host.key, next);
  const third = generateKey();
  expect(await refused(announce(rotation(host, third), host.key, third))).toBe("agent-key-retired");
  // A key that was in use once is not let in again.
  expect(await refused(announce(rotation(host, host.key), next, host.key))).toBe(
    "signature-refused",
  );
  Object.assign(market, { host: withKey(host, next) });
});

test("a grant and a rotation at once agree on one key", async () => {
  for (let round = 0; round < 5; round++) {
    const { host } = market;
    const next = generateKey();
    const leaseId = newId("lease");
    await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
    await Promise.all([server.pass(), announce(rotation(host, next), host.key, next)]);
    const after = withKey(host, next);
    const { grant } = await readGrant(after, leaseId);
    const signer = grant.agentKeyThumbprint === next.kid ? after : host;
    expect(grant.agentKeyThumbprint).toBe(signer.key.kid);
    expect(verifyBill((await endWith(after, signer, leaseId)).exported).verified).toBe(true);
    Object.assign(market, { host: after });
  }
});
