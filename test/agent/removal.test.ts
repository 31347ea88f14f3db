import { expect, test } from "vitest";
import { followServerOnce } from "../../src/agent/follow-server.ts";
import { ApiError } from "../../src/api/client/error.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";

test("an agent whose host was removed leaves its guests alone until a signed end names them", async () => {
  const rig = createRig();
  const agent = await rig.start();
  const { server } = rig;
  const grant = desireLease(server, server.grantOf({ seconds: 3600 }));
  await rig.rounds(agent, 2, 10_000);
  const call = server.client.call;
  server.client.call = async (name, ...input) => {
    if (name === "reportCapacity" || name === "sendUsage") {
      throw new ApiError({ code: "host-removed", status: 410, detail: "attic was removed" });
    }
    return call(name, ...input);
  };
  const visit = () =>
    followServerOnce(agent, {
      token: () => "",
      signal: agent.ended.signal,
      onNews: () => undefined,
    });
  const { partitionId } = grant.partition;

  // Told that its partitions are removed, and of no lease: the guest goes on.
  server.desire({ partitions: [], removedPartitionIds: [partitionId], leases: [] });
  await expect(visit()).rejects.toMatchObject({ code: "host-removed" });
  const { convergeOnce } = await import("../../src/agent/lease/converge.ts");
  await convergeOnce(agent);
  expect(rig.driver.guests.get(grant.leaseId)?.observation.state).toBe("running");

  // A forged end is none; the server's own is.
  const forged = { ...leaseOf(server, grant), endJws: `${server.signEnd(grant.leaseId)}x` };
  server.desire({ leases: [forged] });
  await expect(visit()).rejects.toMatchObject({ code: "host-removed" });
  await convergeOnce(agent);
  expect(rig.driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  const endJws = server.signEnd(grant.leaseId, "host-removed");
  server.desire({ leases: [leaseOf(server, grant, endJws)] });
  await expect(visit()).rejects.toMatchObject({ code: "host-removed" });
  await convergeOnce(agent);
  expect(rig.driver.guests.size).toBe(0);
});
