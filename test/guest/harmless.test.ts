import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { GuestObservation, GuestSpec, PartitionDriver } from "../../src/partition/driver.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { hireJanitor } from "./janitor.ts";
import { smallLinux } from "./small-linux.ts";

/** Two clients' guests and the lender's own work on one computer; one after another crashes. */

const MIB = 1024 * 1024;
const execute = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const folder = makeTempFolder("harmless");
const janitor = hireJanitor(folder.path);
const key = join(folder.path, "key");
const names = ["lease_first", "lease_second"] as const;
const booted = new Map<string, GuestObservation>();
let driver: PartitionDriver;

beforeAll(async () => {
  const image = await smallLinux();
  const manifest = JSON.parse(readFileSync(join(image, "image.json"), "utf8"));
  await execute("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]);
  mkdirSync(join(folder.path, "guests"));
  driver = createQemuDriver({ folder: join(folder.path, "guests"), log: () => undefined });
  for (const [index, guestId] of names.entries()) {
    const spec: GuestSpec = {
      guestId,
      hostname: guestId.replace("_", "-"),
      size: { cpuMilli: 1000, memoryBytes: 192 * MIB, diskBytes: 64 * MIB },
      maxSize: { cpuMilli: 1000, memoryBytes: 192 * MIB, diskBytes: 64 * MIB },
      cpuMode: "dedicated",
      cores: [index % availableParallelism()],
      uid: 64_111 + index,
      image: {
        kernelPath: join(image, "kernel"),
        initramfsPath: join(image, "initramfs"),
        kernelArguments: manifest.boot.kernelArguments,
      },
      access: {
        address: "127.0.0.1",
        port: 0,
        user: "root",
        authorizedKey: readFileSync(`${key}.pub`, "utf8").trim(),
        hostKeyPrivate: readFileSync(key, "utf8"),
      },
    };
    await driver.prepare(spec);
    booted.set(guestId, await driver.boot(spec));
  }
  for (const guestId of names) await untilAnswers(guestId);
}, 240_000);

afterAll(async () => {
  for (const guestId of (await driver?.list()) ?? []) {
    await driver.stop(guestId, 0);
    await driver.wipe(guestId);
  }
  janitor.dismiss();
  folder.remove();
});

test("the lender's own work that crashes harms no guest", async () => {
  const before = await lives();
  const work = spawn("sh", ["-c", "while :; do :; done"]);
  await once(work, "spawn");
  work.kill("SIGSEGV");
  const [, signal] = await once(work, "exit");
  expect(signal).toBe("SIGSEGV");
  expect(await lives()).toEqual(before);
  for (const guestId of names) expect(await driver.answers(guestId, 5_000)).toBe(true);
});

test.runIf(isRoot)(
  "a guest whose kernel crashes harms neither another guest nor the lender's work",
  async () => {
    const [first, second] = names;
    const work = spawn("sleep", ["600"]);
    const lifeOfSecond = (await lives())[1];
    const { port } = booted.get(first) ?? {};
    const options = ["-o", "StrictHostKeyChecking=no", "-o", `UserKnownHostsFile=${key}.hosts`];
    const login = ["-i", key, ...options, "-o", "ServerAliveInterval=1", "-p", `${port}`];
    const crash = "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger";
    await execute("ssh", [...login, "root@127.0.0.1", crash], { timeout: 20_000 }).catch(
      () => null,
    );
    await expect.poll(() => driver.answers(first, 500), { timeout: 20_000 }).toBe(false);
    expect((await lives())[1]).toEqual(lifeOfSecond);
    expect(await driver.answers(second, 5_000)).toBe(true);
    expect(work.exitCode ?? work.signalCode).toBeNull();
    work.kill("SIGTERM");
  },
);

test("a guest whose QEMU is killed harms no other, and is known to be gone", async () => {
  const [first, second] = names;
  const pid = Number((await driver.observe(first)).processId?.split(":")[1] ?? Number.NaN);
  const lifeOfSecond = (await lives())[1];
  if (Number.isInteger(pid)) process.kill(pid, "SIGKILL");
  await expect
    .poll(async () => (await driver.observe(first)).state, { timeout: 10_000 })
    .not.toBe("running");
  expect((await lives())[1]).toEqual(lifeOfSecond);
  expect(await driver.answers(second, 5_000)).toBe(true);
});

/** State and process of each: another process would be another life. */
async function lives() {
  return Promise.all(
    names.map(async (guestId) => {
      const { state, processId } = await driver.observe(guestId);
      return { state, processId };
    }),
  );
}

async function untilAnswers(guestId: string): Promise<void> {
  const answers = async () => expect(await driver.answers(guestId, 1_000)).toBe(true);
  await vi.waitFor(answers, { timeout: 120_000, interval: 250 });
}
