import { expect, test } from "vitest";
import { DriverError, type GuestSpec } from "../driver.ts";
import { guestIdOfArgument, portOfArguments, processName, qemuArguments } from "./command-line.ts";
import { confinedCommand } from "./confinement.ts";
import { guestFolder } from "./guest-folder.ts";
import { attachCommand } from "./internet/attach.ts";

const spec: GuestSpec = {
  guestId: "lease_1",
  hostname: "one",
  size: { cpuMilli: 2000, memoryBytes: 256 * 1024 * 1024, diskBytes: 1024 * 1024 * 1024 },
  maxSize: { cpuMilli: 2000, memoryBytes: 256 * 1024 * 1024, diskBytes: 0 },
  cpuMode: "dedicated",
  cores: [2, 3],
  uid: 64_000,
  image: { kernelPath: "/k", initramfsPath: "/i", kernelArguments: "extra=1" },
  access: {
    address: "127.0.0.1",
    port: 0,
    user: "root",
    authorizedKey: "ssh-ed25519 AAAA",
    hostKeyPrivate: "SECRET",
  },
};
const machine = {
  accelerator: "tcg",
  architecture: "x86_64",
  name: processName("lease_1", "0123abcd"),
  port: 40_022,
} as const;
const line = (changed: Partial<GuestSpec["size"]> = {}) =>
  qemuArguments({ ...spec, size: { ...spec.size, ...changed } }, machine).join(" ");

test("the guest's network is restricted to its forwarded port", () => {
  const forward = "user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:40022-:22";
  expect(line()).toContain(`-netdev ${forward}`);
  expect(line().match(/-netdev|-nic/g)).toHaveLength(1);
});

test("a guest with the internet has a second card, opened for it before it is unprivileged", () => {
  const args = qemuArguments({ ...spec, internet: true }, machine).join(" ");
  expect(args).toContain("-netdev user,id=net,restrict=on,");
  expect(args).toContain("-netdev tap,id=internet,fd=3,vhost=off");
  expect(args.indexOf("netdev=internet")).toBeGreaterThan(args.indexOf("pvpanic-pci"));
  const rest = { kvmGroup: null, cores: [], groups: [], fileBytesMax: 4096 };
  const command = confinedCommand(["qemu"], {
    ...{ owner: { uid: 64_000, gid: 64_000 }, ...rest },
    attach: attachCommand("sublet012345678"),
  });
  expect(command.indexOf("/usr/bin/perl")).toBeLessThan(command.indexOf("setpriv"));
  expect(command).toContain("/run/netns/sublet012345678");
});

test("the size becomes cpus, memory and a disk, and no disk where none is asked", () => {
  expect(line()).toMatch(/-smp 2 -m 262144K .*file=disk.raw/);
  expect(line({ diskBytes: 0 })).not.toContain("disk.raw");
});

test("a disk is spelt out layer by layer, so that no file of it names another", () => {
  const rootDisk = { path: "/d", format: "qcow2" } as const;
  const args = qemuArguments({ ...spec, image: { rootDisk, seed: "nocloud" } }, machine);
  const disk = JSON.parse(args[args.indexOf("-blockdev") + 1] ?? "");
  expect(disk).toMatchObject({
    driver: "qcow2",
    file: { filename: "disk.qcow2" },
    backing: { driver: "qcow2", "read-only": true, backing: null, file: { filename: "root" } },
  });
  expect(args.join(" ")).not.toMatch(/-kernel|-append|disk\.raw/);
});

test("a kernel that comes with a root disk has that, and no empty one", () => {
  const rootDisk = { path: "/d", format: "raw" } as const;
  const text = qemuArguments({ ...spec, image: { ...spec.image, rootDisk } }, machine).join(" ");
  expect(text).toMatch(/-kernel kernel .*"backing":\{"driver":"raw"/);
  expect(text).not.toContain("disk.raw");
});

test("a boot loader is refused where only UEFI could run it", () => {
  const image = { rootDisk: { path: "/d", format: "raw" } } as const;
  const arm = { ...machine, architecture: "aarch64" } as const;
  expect(() => qemuArguments({ ...spec, image }, arm)).toThrow(/UEFI/);
});

test("a guest that may grow has room for it from its start, where its machine can", () => {
  const maxSize = { cpuMilli: 4000, memoryBytes: 1024 * 1024 * 1024, diskBytes: 0 };
  const grows = qemuArguments({ ...spec, maxSize }, machine).join(" ");
  expect(grows).toContain("-smp 2,maxcpus=4 -m 262144K,slots=16,maxmem=1048576K");
  const arm = { ...machine, architecture: "aarch64" } as const;
  expect(qemuArguments({ ...spec, maxSize }, arm).join(" ")).toContain("-smp 2 -m 262144K ");
});

test("no key and no path of the host is among the arguments", () => {
  expect(line()).not.toMatch(/SECRET|AAAA| \//);
});

test("KVM is used as it was proven", () => {
  const args = qemuArguments(spec, { ...machine, accelerator: "kvm" }).join(" ");
  expect(args).toContain("-accel kvm -cpu host");
  expect(line()).toContain("-accel tcg,thread=multi,tb-size=128 -cpu max");
});

test.each([
  [{ cpuMilli: 0 }],
  [{ cpuMilli: 500 }],
  [{ cpuMilli: 1500 }],
  [{ memoryBytes: 1000 }],
  [{ diskBytes: 513 }],
])("a size that cannot be made exactly is refused: %o", (size) => {
  expect(() => line(size)).toThrow(DriverError);
});

test("a shared guest has whole virtual cpus for its part of the pool", () => {
  for (const [cpuMilli, cpus] of [
    [10, 1],
    [500, 1],
    [1500, 2],
  ]) {
    const size = { ...spec.size, cpuMilli: cpuMilli ?? 0 };
    const args = qemuArguments({ ...spec, cpuMode: "shared", size }, machine).join(" ");
    expect(args).toMatch(new RegExp(`-smp ${cpus}[, ]`));
  }
});

test("a running process tells its guest and its port", () => {
  const args = qemuArguments(spec, machine);
  expect(args.map((argument) => guestIdOfArgument(argument, "0123abcd"))).toContain("lease_1");
  expect(portOfArguments(args)).toBe(40_022);
  const foreign = args.map((argument) => guestIdOfArgument(argument, "ffff0000"));
  expect(foreign.every((found) => found === null)).toBe(true);
});

test("a name that would leave its folder or its option is refused", () => {
  for (const name of ["..", "a/b", "a,b", "", "-a", "a".repeat(65)]) {
    expect(() => guestFolder("/guests", name)).toThrow(DriverError);
  }
});

test("a guest's process gets its own user, no group and no capability", () => {
  const owner = { uid: 64_000, gid: 64_000 };
  const rest = { kvmGroup: null, cores: [2, 3], groups: ["/g"], attach: [], fileBytesMax: 4096 };
  const command = confinedCommand(["qemu", "-x"], { owner, ...rest }).join(" ");
  expect(command).toMatch(
    /sublet \/g -- taskset -c 2,3 prlimit --core=0 --fsize=4096 setpriv --no-new-privs/,
  );
  expect(command).toMatch(/--reuid=64000 --regid=64000 --clear-groups .* qemu -x$/);
  const own = confinedCommand(["qemu"], { owner: null, ...rest }).join(" ");
  expect(own).toMatch(/setpriv --no-new-privs qemu$/);
});
