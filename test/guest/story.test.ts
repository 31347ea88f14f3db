import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { BillVerification } from "../../src/billing/verify/verify-bill.ts";
import type { DemoFacts } from "../../src/cli/demo/facts.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type PlayedDemo, playDemo } from "./demo.ts";
import { until } from "./processes.ts";
import { ROOT } from "./small-linux.ts";
import { sublet } from "./sublet.ts";
import { expectStandby } from "./told-standby.ts";

/** The program behind `npm run demo`, played as it is, and with its processes killed under it. */

let demo: PlayedDemo;

afterEach(() => demo?.close());

test("the story ends with verified bills, of leases and of standby capacity, and leaves nothing", async () => {
  demo = await playDemo();
  const { exitCode, facts } = await demo.ended;
  expect(exitCode, demo.told()).toBe(0);
  expectLending(facts);
  expectStandby(facts.capacity);
  expect(demo.told()).toContain("a billing period is 20 s long");
  expect(demo.told()).not.toMatch(/was ended \(/);
  await nothingLeft(5_000);
  // No server runs any more, and nobody is logged in.
  expect(await verifiedElsewhere(facts.export)).toMatchObject({
    ...{ verified: true, totalMicros: facts.billTotalMicros },
    bills: facts.leases.map(({ billId }) => expect.objectContaining({ billId })),
  });
  const { dedicated, shared } = facts.capacity;
  const billIds = [dedicated, shared].flatMap((one) => ("skipped" in one ? [] : one.billIds));
  expect(await verifiedElsewhere(facts.capacity.export)).toMatchObject({
    verified: true,
    bills: billIds.map((billId) => expect.objectContaining({ billId })),
  });
});

test("a server killed while the partition boots, and an agent while it computes, change nothing of the story", async () => {
  demo = await playDemo("--only", "lending");
  await demo.tells("small-linux: progress: booting");
  demo.kill("server");
  await demo.tells("in the partition: 500 numbers done");
  demo.kill("agent");
  const { exitCode, facts } = await demo.ended;
  expect(demo.told()).toMatch(/the server was ended \(SIGKILL\).*started again[\s\S]*way in has/);
  expect(demo.told()).toMatch(/the agent was ended \(SIGKILL\).*started again[\s\S]*1500 numbers/);
  expect(exitCode, demo.told()).toBe(0);
  expectLending(facts);
  expect(facts).not.toHaveProperty("capacity");
  await nothingLeft(5_000);
});

test("a story interrupted by Ctrl-C takes everything away before it ends", async () => {
  demo = await playDemo();
  await demo.tells("progress: booting");
  expect(demo.leftOvers().join("\n")).toMatch(/qemu-system/);
  demo.signal("SIGINT");
  const since = performance.now();
  const { exitCode, facts } = await demo.ended;
  expect(performance.now() - since).toBeLessThan(15_000);
  expect(facts).toBeNull();
  expect(exitCode).toBe(1);
  await nothingLeft(5_000);
}, 60_000);

test("of a story that is killed outright nothing is left soon after, nor of a core in service", async () => {
  demo = await playDemo("--only", "standby");
  await demo.tells("the guest itself counts its cpus: 2");
  expect(demo.leftOvers().join("\n")).toMatch(/qemu-system/);
  demo.signal("SIGKILL");
  await nothingLeft(20_000);
}, 60_000);

test("a folder in which something is already is neither used nor taken away", async () => {
  const folder = makeTempFolder("full");
  const precious = join(folder.path, "precious");
  writeFileSync(precious, "not the demo's");
  const refused = await sublet(["demo", "--data", folder.path, "--json"]);
  expect(refused.exitCode).toBe(1);
  expect(refused.error().code).toBe("folder-not-empty");
  expect(readFileSync(precious, "utf8")).toBe("not the demo's");
  folder.remove();
});

async function nothingLeft(withinMs: number): Promise<void> {
  let left: readonly string[] = [];
  await until(
    "nothing is left",
    () => {
      left = demo.leftOvers();
      return left.length === 0 || undefined;
    },
    withinMs,
  ).catch(() => undefined);
  expect(left).toEqual([]);
}

async function verifiedElsewhere(path: string): Promise<BillVerification> {
  const verified = await sublet(["bill", "verify", join(ROOT, path), "--json"]);
  expect(verified.exitCode, verified.stderr).toBe(0);
  return verified.json<BillVerification>();
}

function expectLending(facts: DemoFacts | null): asserts facts is DemoFacts {
  expect(facts).toMatchObject({
    ids: {
      serverId: expect.stringMatching(/^server-/),
      hostId: expect.stringMatching(/^host_/),
      partitionId: expect.stringMatching(/^partition_/),
      imageId: expect.stringMatching(/^image_/),
      leaseId: expect.stringMatching(/^lease_/),
      billId: expect.stringMatching(/^bill_/),
    },
    refusals: { server: "partition-in-use", agent: "partition-in-use" },
    resultEqual: true,
    currency: "EUR",
    verified: true,
    export: ".cache/demo/export.json",
  });
  if (facts === null) return;
  expect(Number(facts.billTotal)).toBeGreaterThan(0);
  expect(BigInt(facts.billTotalMicros)).toBeGreaterThan(0n);
  for (const ms of Object.values(facts.durationsMs)) expect(ms).toBeGreaterThan(0);
  expect(Object.keys(facts.durationsMs)).toEqual(
    expect.arrayContaining([
      "ready",
      "leaseToFirstCommand",
      "computation",
      "debianLeaseToReady",
      "total",
    ]),
  );
  expectGuests(facts);
}

/** Two systems beside each other, as each said of itself, in partitions that were re-cut for them. */
function expectGuests({ leases, ids, besideEachOther, ...facts }: DemoFacts): void {
  expect(leases.map(({ guestOs }) => guestOs)).toEqual([
    expect.stringMatching(/^Small Linux/),
    expect.stringMatching(/^Debian GNU\/Linux 12/),
  ]);
  expect(leases[0]?.leaseId).toBe(ids.leaseId);
  expect(new Set(leases.map(({ partition }) => partition)).size).toBe(2);
  expect(besideEachOther).toBe(true);
  const bootIds = [readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()];
  for (const guest of leases) {
    expect(guest).toMatchObject({ recut: true, verified: true });
    expect(guest.billId).toMatch(/^bill_/);
    expect(guest.guestKernel).toMatch(/^\d+\.\d+/);
    expect(guest.guestKernel).not.toBe(release());
    expect(guest.guestBootId).toMatch(/^[0-9a-f-]{36}$/);
    bootIds.push(guest.guestBootId);
  }
  expect(new Set(bootIds).size).toBe(3);
  const billed = leases.reduce((sum, one) => sum + BigInt(one.billTotalMicros), 0n);
  expect(BigInt(facts.billTotalMicros)).toBe(billed);
  expect(facts.counterOffer).toEqual({ matches: 0, bookedCpuMilli: 1000 });
  expect(facts.later).toMatchObject({ state: "booked", outcome: "cancelled" });
}
