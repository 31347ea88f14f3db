import { expect, test } from "vitest";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { unsentCount } from "../../src/meter/spool-batch.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { createRig, desireLease } from "./harness.ts";

test("usage is kept until a receipt that the server signed covers it", async () => {
  const { server, clock, ...rig } = createRig();
  const agent = await rig.start();
  desireLease(server);
  await rig.round(agent);
  server.state.isAway = true;
  await rig.rounds(agent, 5, 10_000);
  server.state.isAway = false;
  const kept = unsentCount(agent.db);
  expect(kept).toBeGreaterThan(0);
  const forger = generateKey();
  const forged = {
    ...{ iss: server.serverId, aud: server.hostId, batchId: "batch_x", chainId: "lease_x" },
    ...{ contiguousSeq: 99, receivedAt: clock.now().toISOString() },
  };
  const wrong = [
    sign("sublet-receipt", forged, forger),
    sign("sublet-receipt", forged, server.key),
    "nothing at all",
  ];
  for (const receiptJws of wrong) {
    server.state.spoil = (name, answer) => (name === "sendUsage" ? { receiptJws } : answer);
    await expect(sendUsageOnce(agent)).rejects.toThrow(/receipt/);
    expect(unsentCount(agent.db)).toBe(kept);
  }
  server.state.spoil = (_name, answer) => answer;
  await sendUsageOnce(agent);
  expect(unsentCount(agent.db)).toBe(0);
});

test("a time that the server did not sign, or signed for another question, is not believed", async () => {
  const { server, clock, ...rig } = createRig();
  const agent = await rig.start();
  const time = { iss: server.serverId, aud: server.hostId, now: "2036-01-01T00:00:00Z" };
  for (const timeJws of [
    sign("sublet-time", { ...time, nonce: "a-nonce-of-another-question" }, server.key),
    sign("sublet-time", { ...time, nonce: "a-nonce-of-another-question" }, generateKey()),
  ]) {
    server.state.spoil = (name, answer) =>
      name === "tellTime" ? { timeJws, successionJws: [] } : answer;
    await expect(agent.time.anchor(agent.server.client, agent.server.joined)).rejects.toThrow();
    expect(agent.time.nowMs()).toBe(clock.now().getTime());
  }
});

test("another host's desired state is not taken over", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  desireLease(server);
  server.state.desired = {
    ...server.state.desired,
    hostId: "host_01k00000000000000000zz" as never,
  };
  await readDesiredOnce(agent);
  await rig.rounds(agent, 1, 0);
  expect(driver.calls).toEqual([]);
});

test("joining again with the same token after a crash finds the same host", async () => {
  const { server, ...rig } = createRig();
  const call = server.client.call;
  let calls = 0;
  const dying = {
    ...server.client,
    call: (async (...input: Parameters<typeof call>) => {
      await call(...input);
      calls += 1;
      throw new Error("the agent dies before it hears the answer");
    }) as typeof call,
  };
  await expect(rig.start({ client: dying })).rejects.toThrow("dies");
  const agent = await rig.start();
  expect(calls).toBe(1);
  expect(agent.host.hostId).toBe(server.hostId);
  expect(agent.keys.current().kid).toBe(server.state.agentKey?.kid);
});

test("a server with another key than the token's is refused before anything is believed", async () => {
  const { server, ...rig } = createRig();
  server.state.spoil = (name, answer) =>
    name === "enrolHost"
      ? { ...(answer as object), serverKeys: [generateKey().publicJwk] }
      : answer;
  await expect(rig.start()).rejects.toMatchObject({ code: "server-key-wrong" });
});

test("a token of another server is refused by name", async () => {
  const first = createRig();
  (await first.start()).db.close();
  const { writeJoinToken } = await import("../../src/host/join-token.ts");
  const { configFrom } = await import("../../src/agent/config.ts");
  const { enrol } = await import("../../src/agent/enrol.ts");
  const agent = await first.start();
  const joinToken = writeJoinToken({
    ...{ v: 1, url: "http://other.test", secret: "x", serverId: "another", serverKid: "kid" },
  });
  const config = configFrom({ dataFolder: first.folder, joinToken });
  const { db, capacity, log } = agent;
  await expect(enrol({ db, config, capacity, log })).rejects.toMatchObject({
    code: "joined-elsewhere",
  });
});
