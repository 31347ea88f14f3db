import { expect, test } from "vitest";
import type { Grant } from "../../src/enablement/grant.ts";
import { generateKey } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import { createRig, desireLease, leaseOf, type Rig } from "./harness.ts";

const changed = (grant: Grant, change: Partial<Grant["partition"]>): Grant => ({
  ...grant,
  partition: { ...grant.partition, ...change },
});
const sized = (grant: Grant, size: Partial<Grant["partition"]["size"]>): Grant =>
  changed(grant, { size: { ...grant.partition.size, ...size } });

const KNOWN = { state: "preparing" as const, sequence: 1 };

const REFUSED: readonly [string, string, (grant: Grant) => Grant][] = [
  ["another host", "grant-other-host", (grant) => ({ ...grant, aud: newId("host") })],
  ["another server", "grant-other-server", (grant) => ({ ...grant, iss: "elsewhere" })],
  ["another agent key", "grant-other-agent", (g) => ({ ...g, agentKeyThumbprint: "other" })],
  [
    "a period that is over",
    "grant-expired",
    (grant) => ({ ...grant, period: { ...grant.period, end: "2027-01-31T07:59:59Z" } }),
  ],
  ["the internet", "internet-unsupported", (grant) => ({ ...grant, internet: true })],
  ["half a dedicated core", "fractions-unsupported", (grant) => sized(grant, { cpuMilli: 500 })],
  ["more than the host has", "capacity-exceeded", (grant) => sized(grant, { cpuMilli: 64_000 })],
  ["less than the image needs", "memory-too-small", (grant) => sized(grant, { memoryBytes: 1 })],
  [
    "a manifest that was altered",
    "image-digest-wrong",
    (g) => ({
      ...g,
      image: { ...g.image, manifest: { ...g.image.manifest, user: "mallory" } },
    }),
  ],
  [
    "a key with options",
    "client-key-wrong",
    (g) => ({ ...g, clientKey: `command="reboot" ${g.clientKey}` }),
  ],
  ["two lines of keys", "client-key-wrong", (g) => ({ ...g, clientKey: `${g.clientKey}\n` })],
];

test.each(REFUSED)("a grant for %s runs nothing and fails as %s", async (_what, code, alter) => {
  const rig = createRig();
  const agent = await rig.start();
  desireLease(rig.server, alter(rig.server.grantOf()));
  await rig.rounds(agent, 3, 1_000);
  expectRefused(rig, code);
});

test("a grant that the server did not sign runs nothing and fails as grant-unknown-key", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const grant = server.grantOf();
  const grantJws = server.signGrant(grant, generateKey());
  const { leaseId } = grant;
  const { partitionId } = server;
  const lease = { leaseId, partitionId, grantJws, endJws: null, powerJws: null };
  const desired = { ...lease, extensionJws: [], ...KNOWN };
  server.desire({ partitions: [server.partition()], leases: [desired] });
  await rig.rounds(agent, 3, 1_000);
  expectRefused(rig, "grant-unknown-key");
});

test("a re-cut beyond the partition's minimum or maximum runs nothing", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const limits = {
    min: { ...server.size, cpuMilli: 1000 },
    max: { ...server.size, cpuMilli: 2000 },
  };
  const grants = [0.5, 3].map((times) => {
    const grant = server.grantOf();
    return sized(grant, { memoryBytes: grant.partition.size.memoryBytes * times });
  });
  server.desire({
    partitions: [server.partition(limits)],
    leases: grants.map((grant) => leaseOf(server, grant)),
  });
  await rig.rounds(agent, 3, 1_000);
  expect(server.reportsOf("failed")).toMatchObject([
    ...[{ reason: "size-outside-limits" }, { reason: "size-outside-limits" }],
  ]);
  expect(rig.driver.calls.filter((call) => /^(prepare|boot)/.test(call))).toEqual([]);
});

test("a guest has room to grow up to its partition's maximum and the host's base", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const max = { cpuMilli: 64_000, memoryBytes: 3 * server.size.memoryBytes, diskBytes: 2 ** 40 };
  const grant = server.grantOf();
  server.desire({ partitions: [server.partition({ max })], leases: [leaseOf(server, grant)] });
  await rig.round(agent);
  const { base } = agent.capacity;
  expect(rig.driver.guests.get(grant.leaseId)?.spec.maxSize).toEqual({
    ...{ cpuMilli: base.cpuMilli, memoryBytes: max.memoryBytes, diskBytes: base.diskBytes },
  });
});

test("a grant for a partition that is not lendable runs nothing", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const lease = leaseOf(server, server.grantOf());
  server.desire({ partitions: [server.partition({ lendable: false })], leases: [lease] });
  await rig.rounds(agent, 3, 1_000);
  expectRefused(rig, "partition-not-lendable");
});

test("a grant for a partition that this host has not runs nothing", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.server.desire({ leases: [leaseOf(rig.server, rig.server.grantOf())] });
  await rig.rounds(agent, 3, 1_000);
  expectRefused(rig, "partition-unknown");
});

/** Told by name, nothing run, and the end and the wipe receipt follow as for any lease. */
function expectRefused({ server, driver }: Rig, code: string): void {
  expect(driver.calls.filter((call) => /^(prepare|boot)/.test(call))).toEqual([]);
  expect(server.reportsOf("failed")).toMatchObject([{ reason: code }]);
  expect(server.reportsOf("ending")).toMatchObject([{ reason: code }]);
  expect(server.reportsOf("wiped")).toHaveLength(1);
  expect(server.reportsOf("ready")).toEqual([]);
}
