import { afterEach, expect, test } from "vitest";
import { unreportedOf } from "../../src/agent/capacity/chain-store.ts";
import { billOnDemand } from "../../src/agent/capacity/once.ts";
import { exportReport, pendingActs } from "../../src/agent/capacity/report.ts";
import { sendActsOnce } from "../../src/agent/capacity/send-acts.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import { kindsOf, meteredOf, returned } from "../agent/capacity.ts";
import { type CapacityWorld, openCapacityWorld } from "./capacity-agent.ts";
import { TERMS } from "./capacity-market.ts";
import { codeOf } from "./harness.ts";

/** A real agent and its providers at one real server: what is used reaches them by itself. */

let world: CapacityWorld;
afterEach(() => world.server.stop());

const SHORT = { reporting: { ...TERMS.reporting, reportAfterSeconds: 240, graceSeconds: 60 } };

test("use is receipted by its provider on line, all of it, and nothing paid for is taken back", async () => {
  world = await openCapacityWorld();
  const { agent, rounds } = world;
  const vendor = await world.vendor("vendor", SHORT);
  await world.enableBy(vendor);
  const refused = [...(await rounds(7, 61))];
  await billOnDemand(agent, null);
  refused.push(...(await rounds(1, 1)));
  expect(refused).toEqual([]);
  expect(meteredOf(agent)).toBeGreaterThan(0n);
  expect(unreportedOf(agent.db, { providerId: vendor.partyId, resource: "cpu" })).toEqual({
    quantity: 0n,
    since: null,
  });
  expect(showCapacity(agent)).toMatchObject({ warnings: [], unreported: [{ acts: 0 }] });
  // Far behind what the code lets be unreported, and its grace.
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service", returnReason: null }]);
  expect(kindsOf(agent)).not.toContain("time-to-bill unreported-limit");
});

test("each of two providers gives its own receipts, for acts and for use", async () => {
  world = await openCapacityWorld();
  const { agent, rounds } = world;
  const [older, newer] = [await world.vendor("older"), await world.vendor("newer")];
  await world.enableBy(older);
  await world.enableBy(newer);
  expect(await rounds(2, 61)).toEqual([]);
  await billOnDemand(agent, null);
  expect(await rounds(1, 1)).toEqual([]);
  for (const { partyId } of [older, newer]) {
    expect(unreportedOf(agent.db, { providerId: partyId, resource: "cpu" })).toEqual({
      quantity: 0n,
      since: null,
    });
    expect(exportReport(agent, partyId)).toMatchObject({ usage: [] });
  }
  expect(showCapacity(agent).unreported).toMatchObject([{ acts: 0 }, { acts: 0 }]);
});

test("a server signs no receipt of a provider that has no code for the host", async () => {
  world = await openCapacityWorld();
  const [vendor, stranger] = [await world.vendor("vendor"), await world.vendor("stranger")];
  await world.enableBy(vendor);
  const [batch] = pendingActs(world.agent, stranger.partyId);
  const body = { actsJws: batch?.jws ?? "", providerId: stranger.partyId };
  const { client } = world.agent.server;
  expect(await codeOf(client.call("sendActs", { body }))).toBe("not-found");
});

test("a host is overdue by its use: acts alone do not make up for it, and it needs none of them", async () => {
  world = await openCapacityWorld();
  const { agent, owner, pass, rounds } = world;
  const vendor = await world.vendor("vendor", SHORT);
  await world.enableBy(vendor);
  const standOf = async () => {
    const { hosts } = await owner.call("listOwnCapacityHosts");
    return hosts[0];
  };
  // No act in five minutes, of which four may pass.
  await rounds(5, 61);
  expect(await standOf()).toMatchObject({ overdue: false });
  pass(260);
  await billOnDemand(agent, null);
  await sendActsOnce(agent);
  expect(await standOf()).toMatchObject({ overdue: true });
  expect(await rounds(1, 1)).toEqual([]);
  expect(await standOf()).toMatchObject({ overdue: false });
  await returned(agent, { partition: "one" });
  await rounds(1, 1);
  pass(3_000);
  expect(await standOf()).toMatchObject({ overdue: false });
});
