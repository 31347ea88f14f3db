import { describe, expect, test } from "vitest";
import { readPartition } from "../../src/agent/allocation/store.ts";
import { readLease } from "../../src/agent/lease/store.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { accessSchema, wipeReceiptSchema } from "../../src/partition/signed.ts";
import { verify } from "../../src/signature/envelope.ts";
import { generateKey, keyRing } from "../../src/signature/key.ts";
import { sha256Hex } from "../../src/unit/canonical.ts";
import { newId } from "../../src/unit/id.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";

const KNOWN = { state: "preparing" as const, sequence: 1 };

describe("a lease from its grant to its wipe", () => {
  test("is delivered, metered, ended by its deadline, wiped and forgotten", async () => {
    const { server, driver, clock, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server, server.grantOf({ seconds: 100 }));
    await rig.round(agent);
    expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
    expect(driver.guests.get(grant.leaseId)?.spec.cores).toEqual([0]);
    await rig.rounds(agent, 14, 8_000);

    const kinds = [...server.state.reports.values()].map((report) => report.kind);
    expect(kinds).toEqual([
      ...["progress", "progress", "progress", "progress", "ready", "ending", "wiped"],
    ]);
    const records = [...server.state.records.values()];
    const origin = chainOrigin(server.signGrant(grant));
    expect(checkChain(origin, records)).toEqual({ ok: true });
    const deliveredNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
    // Ready at once, and never charged beyond the period, though it was stopped 4 s late.
    expect(deliveredNs).toBe(100_000_000_000n);
    expect(records.at(-1)?.record.final).toBe(true);
    expect(driver.guests.size).toBe(0);
    expect(readLease(agent.db, grant.leaseId)?.stage).toBe("done");
    expect(clock.bootId()).toBe("boot-1");
  });

  test("what the agent signs is verified by its key: access and wipe receipt", async () => {
    const { server, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server);
    await rig.rounds(agent, 6, 10_000);
    const keys = keyRing(server.state.agentKey ? [server.state.agentKey] : []);
    const [ready] = server.reportsOf("ready");
    const [wiped] = server.reportsOf("wiped");
    const access = verify({
      ...{ jws: ready?.kind === "ready" ? ready.accessJws : "", typ: "sublet-access" as const },
      ...{ keys, schema: accessSchema },
    });
    expect(access).toMatchObject({ ok: true, payload: { leaseId: grant.leaseId, user: "root" } });
    const receipt = verify({
      ...{ jws: wiped?.kind === "wiped" ? wiped.receiptJws : "" },
      ...{ typ: "sublet-wipe-receipt" as const, keys, schema: wipeReceiptSchema },
    });
    const last = [...server.state.records.values()].at(-1);
    expect(receipt).toMatchObject({
      ok: true,
      payload: {
        ...{ grantJti: grant.jti, reason: "expired", files: 1 },
        ...{ finalSeq: last?.record.seq, finalHash: last?.hash },
      },
    });
  });

  test("every round run twice in a row does nothing more", async () => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    desireLease(server);
    for (let i = 0; i < 8; i++) {
      await rig.rounds(agent, 1, 6_000);
      const calls = driver.calls.length;
      const reports = server.state.reports.size;
      const records = server.state.records.size;
      await rig.round(agent);
      expect(driver.calls.length).toBe(calls);
      expect(server.state.reports.size).toBe(reports);
      expect(server.state.records.size).toBe(records);
    }
  });

  test("a signed end ends it before its time; a forged one does not", async () => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server);
    await rig.round(agent);
    const forged = server.signEnd(grant.leaseId, "ended-by-client", generateKey());
    const other = server.signEnd(newId("lease"));
    for (const endJws of [forged, other]) {
      server.desire({ leases: [leaseOf(server, grant, endJws)] });
      await rig.rounds(agent, 1, 1_000);
      expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
    }
    server.desire({ leases: [leaseOf(server, grant, server.signEnd(grant.leaseId))] });
    await rig.rounds(agent, 1, 1_000);
    expect(driver.guests.size).toBe(0);
    expect(server.reportsOf("ending")).toMatchObject([{ reason: "ended-by-client" }]);
  });

  test("an end of a lease that this host never had is answered with a wipe receipt", async () => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    const leaseId = newId("lease");
    const endJws = server.signEnd(leaseId);
    const { partitionId } = server;
    const lease = { leaseId, partitionId, grantJws: null, endJws, powerJws: null };
    server.desire({ leases: [{ ...lease, extensionJws: [], ...KNOWN }] });
    await rig.rounds(agent, 3, 1_000);
    expect(driver.calls.filter((call) => call.startsWith("boot"))).toEqual([]);
    const keys = keyRing(server.state.agentKey ? [server.state.agentKey] : []);
    const reports = server.reportsOf("wiped");
    expect(reports).toHaveLength(1);
    const jws = reports[0]?.kind === "wiped" ? reports[0].receiptJws : "";
    const schema = wipeReceiptSchema;
    expect(verify({ jws, typ: "sublet-wipe-receipt", keys, schema })).toMatchObject({
      payload: { leaseId, grantJti: null, finalSeq: 0, finalHash: sha256Hex(leaseId) },
    });
  });

  test("a late copy of a wiped lease's grant runs nothing", async () => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server, server.grantOf({ seconds: 3600 }));
    await rig.round(agent);
    server.desire({ leases: [leaseOf(server, grant, server.signEnd(grant.leaseId))] });
    await rig.rounds(agent, 2, 1_000);
    server.desire({ leases: [leaseOf(server, grant)] });
    await rig.rounds(agent, 3, 1_000);
    expect(driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
    expect(server.reportsOf("wiped")).toHaveLength(1);
  });

  test("a server that was set back and asks again gets the same receipt", async () => {
    const { server, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server);
    await rig.rounds(agent, 4, 10_000);
    const [first] = server.reportsOf("wiped");
    server.state.reports.clear();
    server.desire({ leases: [leaseOf(server, grant)] });
    await rig.rounds(agent, 1, 10_000);
    const [second] = server.reportsOf("wiped");
    expect(second).toMatchObject({ ...first, at: expect.any(String) });
  });

  test("the next lease of a partition waits for the wipe of the one before", async () => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    const first = desireLease(server);
    await rig.round(agent);
    const second = server.grantOf({ seconds: 300 });
    server.desire({ leases: [leaseOf(server, first), leaseOf(server, second)] });
    await rig.rounds(agent, 1, 10_000);
    expect([...driver.guests.keys()]).toEqual([first.leaseId]);
    await rig.rounds(agent, 2, 15_000);
    expect([...driver.guests.keys()]).toEqual([second.leaseId]);
  });

  test("a partition goes back to its standing size by itself when its lease is wiped", async () => {
    const { server, ...rig } = createRig();
    const agent = await rig.start();
    server.desire({ partitions: [server.partition()] });
    await rig.round(agent);
    const base = server.grantOf();
    const larger = { ...server.size, memoryBytes: 2 * server.size.memoryBytes };
    const grant = { ...base, partition: { ...base.partition, size: larger } };
    server.desire({
      partitions: [server.partition({ size: larger, generation: 2 })],
      leases: [leaseOf(server, grant)],
    });
    await rig.round(agent);
    expect(readPartition(agent.db, server.partitionId)?.size).toEqual(larger);
    server.state.isAway = true;
    await rig.rounds(agent, 2, 20_000);
    expect(readPartition(agent.db, server.partitionId)?.size).toEqual(server.size);
  });

  test("a partition is re-cut for its lease, frozen meanwhile, and what it was after it", async () => {
    const { server, ...rig } = createRig();
    const agent = await rig.start();
    server.desire({ partitions: [server.partition()] });
    await rig.round(agent);
    const larger = { ...server.size, cpuMilli: 2000 };
    const base = server.grantOf();
    const grant = { ...base, partition: { ...base.partition, size: larger } };
    server.desire({
      partitions: [server.partition({ size: larger, generation: 2 })],
      leases: [leaseOf(server, grant)],
    });
    const sizeNow = () => readPartition(agent.db, server.partitionId)?.size;
    await rig.round(agent);
    expect(sizeNow()).toEqual(larger);
    const other = { ...server.size, cpuMilli: 3000 };
    server.desire({ partitions: [server.partition({ size: other, generation: 3 })] });
    await rig.rounds(agent, 2, 10_000);
    expect(sizeNow()).toEqual(larger);
    server.state.isAway = true;
    await rig.rounds(agent, 1, 15_000);
    expect(sizeNow()).toEqual(other);
  });
});
