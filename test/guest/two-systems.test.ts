import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateHostKey } from "../../src/agent/lease/host-key.ts";
import type { GuestImage, GuestSpec, PartitionDriver } from "../../src/partition/driver.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { BuiltDebian } from "../../tools/debian-12/build.ts";
import { DEBIAN_HOOK_MS, debian12 } from "./debian-12.ts";
import { smallLinux } from "./small-linux.ts";
import { newKey } from "./ssh.ts";

/**
 * Partitions of one host with different systems at the same time, one of them the same Debian as
 * vendors ship it. The guests are asked themselves what they are.
 */

const MIB = 1024 * 1024;
/** From a vendor's image under emulation, on a machine that is busy with other things. */
const BOOT_LIMIT_MS = 240_000;
const execute = promisify(execFile);
const isX64 = process.arch === "x64";

let folder: string;
let driver: PartitionDriver;
let debian: BuiltDebian;
let small: GuestSpec;
let large: GuestSpec;
let vendor: GuestSpec;
let clientKey: string;

beforeAll(async () => {
  debian = await debian12();
  const smallFolder = await smallLinux();
  folder = await mkdtemp(join(tmpdir(), "sublet-two-"));
  clientKey = await newKey(join(folder, "client"));
  driver = createQemuDriver({ folder: join(folder, "guests"), log: () => undefined });
  small = await specOf("lease_small", "root", {
    kernelPath: join(smallFolder, "kernel"),
    initramfsPath: join(smallFolder, "initramfs"),
    kernelArguments: "",
  });
  const { boot } = debian.manifest;
  large = await specOf("lease_large", "debian", {
    kernelPath: join(debian.folder, "kernel"),
    initramfsPath: join(debian.folder, "initramfs"),
    kernelArguments: boot.kind === "kernel" ? boot.kernelArguments : "",
    rootDisk: { path: join(debian.folder, "root.qcow2"), format: "qcow2" },
    seed: "nocloud",
  });
  vendor = await specOf("lease_vendor", "debian", {
    rootDisk: { path: debian.diskPath ?? "", format: "qcow2" },
    seed: "nocloud",
  });
  const all = isX64 ? [small, large, vendor] : [small, large];
  await Promise.all(all.map((spec) => driver.boot(spec)));
  await Promise.all(all.map(untilAnswers));
}, DEBIAN_HOOK_MS);

afterAll(async () => {
  for (const guestId of (await driver?.list()) ?? []) {
    await driver.stop(guestId, 0);
    await driver.wipe(guestId);
  }
  await rm(folder, { recursive: true, force: true });
});

const WHAT = "cat /etc/os-release; cat /proc/1/comm; uname -r; hostname";

test("two genuinely different systems run in two partitions at the same time", async () => {
  const [one, other] = await Promise.all([ask(small, WHAT), ask(large, WHAT)]);
  expect(one).toMatch(/^ID=small-linux$[\s\S]*^init$[\s\S]*cloud-amd64[\s\S]*^lease-small$/m);
  expect(other).toMatch(/^ID=debian$[\s\S]*^systemd$[\s\S]*^lease-large$/m);
  expect(other).toMatch(/^VERSION_ID="12"$/m);
  for (const { guestId } of [small, large]) {
    expect(await driver.observe(guestId)).toMatchObject({ state: "running" });
  }
});

test("each has its own userland: busybox here, Debian's packages there", async () => {
  expect(await ask(small, "readlink /bin/ls; command -v apt-get || echo none")).toMatch(
    /busybox\nnone/,
  );
  expect(
    await ask(
      large,
      "dpkg -s cloud-init openssh-server systemd-sysv | grep -c '^Status: install ok'",
    ),
  ).toBe("3\n");
});

test("cloud-init let the client's key in and nothing else, and grew the disk to the partition", async () => {
  expect(await ask(large, "whoami; sudo -n whoami")).toBe("debian\nroot\n");
  expect(await ask(large, "ls /etc/ssh/ssh_host_*")).toBe(
    "/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_ed25519_key.pub\n",
  );
  const other = await newKey(join(folder, "other"));
  await expect(ask(large, "true", other)).rejects.toThrow(/Permission denied \(publickey\)/);
  const grownBytes = Number(await ask(large, "df -B1 --output=size / | tail -1"));
  expect(grownBytes).toBeGreaterThan(0.9 * large.size.diskBytes);
});

test("a guest's writes are its own: the image that others share stays as it is", async () => {
  const path = join(debian.folder, "root.qcow2");
  const before = await stat(path);
  await ask(large, "head -c 50000000 /dev/urandom > written; sync");
  expect((await stat(path)).mtimeMs).toBe(before.mtimeMs);
  const overlay = await stat(join(folder, "guests", large.guestId, "machine/disk.qcow2"));
  expect(overlay.size).toBeGreaterThan(50_000_000);
  expect(overlay.size).toBeLessThan(large.size.diskBytes);
});

test("a disk that refers to a file of the host is refused by the driver, whoever added it", async () => {
  const path = join(folder, "spy.qcow2");
  const backing = ["-u", "-b", "/etc/shadow", "-F", "raw"];
  await execute("qemu-img", ["create", "-q", "-f", "qcow2", ...backing, path, "64M"]);
  const image = { rootDisk: { path, format: "qcow2" } } as const;
  const spy = { ...large, guestId: "lease_spy", image };
  await expect(driver.prepare(spy)).rejects.toMatchObject({ code: "disk-references-files" });
  await driver.wipe(spy.guestId);
});

test("a disk that is larger than its partition is refused by name, and told how much it needs", async () => {
  const size = { ...large.size, diskBytes: 256 * MIB };
  const narrow = driver.prepare({ ...large, guestId: "lease_narrow", size });
  await expect(narrow).rejects.toMatchObject({ code: "image-too-big" });
  await expect(narrow).rejects.toThrow(/ask for 768MiB of disk/);
  await driver.wipe("lease_narrow");
});

test.runIf(isX64)(
  "a disk with a boot loader and cloud-init, as vendors ship it, boots and lets the client in",
  async () => {
    const said = await ask(vendor, `${WHAT}; findmnt -no SOURCE /; cat /proc/cmdline`);
    expect(said).toMatch(/^ID=debian$[\s\S]*^systemd$[\s\S]*^lease-vendor$/m);
    expect(said).toMatch(/^\/dev\/vda1$[\s\S]*^BOOT_IMAGE=/m);
    const grownBytes = Number(await ask(vendor, "df -B1 --output=size / | tail -1"));
    expect(grownBytes).toBeGreaterThan(0.9 * vendor.size.diskBytes);
    expect(await driver.observe(small.guestId)).toMatchObject({ state: "running" });
  },
);

async function specOf(guestId: string, user: string, image: GuestImage): Promise<GuestSpec> {
  const { privateText, publicLine } = generateHostKey();
  const { stdout } = await execute("ssh-keygen", ["-y", "-f", clientKey]);
  await writeFile(join(folder, `${guestId}.known`), `guest ${publicLine}\n`);
  const isSmall = guestId === "lease_small";
  const uid = { lease_small: 64_201, lease_large: 64_202, lease_vendor: 64_203 }[guestId] ?? 0;
  const size = {
    cpuMilli: 1000,
    memoryBytes: (isSmall ? 128 : 512) * MIB,
    diskBytes: (isSmall ? 64 : 2048) * MIB,
  };
  return {
    guestId,
    hostname: guestId.replace("_", "-"),
    size,
    maxSize: size,
    cpuMode: "dedicated",
    // Not pinned: on a small machine the other one is not to wait.
    cores: [],
    uid,
    image,
    access: {
      ...{ address: "127.0.0.1", port: 0, user },
      authorizedKey: stdout.trim(),
      hostKeyPrivate: privateText,
    },
  };
}

async function untilAnswers({ guestId }: GuestSpec): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < BOOT_LIMIT_MS) {
    if (await driver.answers(guestId, 2_000)) {
      process.stderr.write(
        `${guestId} answered after ${Math.round(performance.now() - began)} ms\n`,
      );
      return;
    }
    const { state, exitReason } = await driver.observe(guestId);
    if (state !== "running") throw new Error(`${guestId} is ${state}: ${exitReason}`);
    await sleep(250);
  }
  const said = (await driver.console(guestId)).slice(-2000);
  throw new Error(`${guestId} does not answer; its console: ${said}`);
}

/** The host key is the one that was given, or OpenSSH does not go on. */
async function ask({ guestId, access }: GuestSpec, command: string, key = clientKey) {
  const { port } = await driver.observe(guestId);
  const options = [
    ...["-F", "none", "-i", key, "-p", String(port), "-o", "IdentitiesOnly=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, `${guestId}.known`)}`, "-o", "HostKeyAlias=guest"],
    ...["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60"],
  ];
  const { stdout } = await execute("ssh", [...options, `${access.user}@127.0.0.1`, command]);
  return stdout;
}
