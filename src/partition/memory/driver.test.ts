import { expect, test } from "vitest";
import type { GuestSpec } from "../driver.ts";
import { createMemoryDriver } from "./driver.ts";

const spec: GuestSpec = {
  guestId: "lease_1",
  hostname: "one",
  size: { cpuMilli: 1000, memoryBytes: 1 << 28, diskBytes: 1 << 28 },
  maxSize: { cpuMilli: 1000, memoryBytes: 1 << 28, diskBytes: 1 << 28 },
  cpuMode: "dedicated",
  cores: [],
  uid: 64_000,
  image: { kernelPath: "/kernel", initramfsPath: "/initramfs", kernelArguments: "" },
  access: {
    address: "127.0.0.1",
    port: 0,
    user: "root",
    authorizedKey: "ssh-ed25519 AAAA",
    hostKeyPrivate: "key",
  },
};

test("a guest that is booted twice is one guest", async () => {
  const driver = createMemoryDriver();
  const first = await driver.boot(spec);
  expect(first).toMatchObject({ state: "running", port: 40_001 });
  expect(await driver.boot(spec)).toEqual(first);
  expect(await driver.answers(spec.guestId, 100)).toBe(true);
});

test("a guest started again is another process whose counter begins anew", async () => {
  let ranNs = 5n;
  const driver = createMemoryDriver({ cpuNs: () => ranNs });
  const first = await driver.boot(spec);
  expect((await driver.observe(spec.guestId)).cpuNs).toBe(5n);
  ranNs = 7n;
  driver.end(spec.guestId, "guest-powered-off");
  const ended = { state: "exited", cpuNs: 7n, exitReason: "guest-powered-off" };
  expect(await driver.observe(spec.guestId)).toMatchObject(ended);
  const second = await driver.boot(spec);
  expect(second).toMatchObject({ state: "running", cpuNs: 0n, port: first.port });
  expect(second.processId).not.toBe(first.processId);
});

test("a counter never goes backwards within one process", async () => {
  const readings = [9n, 3n];
  const driver = createMemoryDriver({ cpuNs: () => readings.shift() ?? 0n });
  await driver.boot(spec);
  expect((await driver.observe(spec.guestId)).cpuNs).toBe(9n);
  expect((await driver.observe(spec.guestId)).cpuNs).toBe(9n);
});

test("a live guest is not wiped, and a wiped one is absent", async () => {
  const driver = createMemoryDriver();
  await driver.boot(spec);
  await expect(driver.wipe(spec.guestId)).rejects.toMatchObject({ code: "guest-alive" });
  await driver.stop(spec.guestId, 0);
  expect((await driver.observe(spec.guestId)).exitReason).toBe("stopped");
  expect(await driver.wipe(spec.guestId)).toEqual({ files: 1, bytes: 1 << 28 });
  expect((await driver.observe(spec.guestId)).state).toBe("absent");
  expect(await driver.list()).toEqual([]);
});

test("a failure that is asked for comes as often as asked", async () => {
  const driver = createMemoryDriver();
  driver.failNext("boot", "disk-full");
  await expect(driver.boot(spec)).rejects.toMatchObject({ code: "disk-full" });
  expect((await driver.boot(spec)).state).toBe("running");
  expect(driver.calls).toEqual(["boot lease_1", "boot lease_1"]);
});
