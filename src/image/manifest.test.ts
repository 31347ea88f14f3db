import { expect, test } from "vitest";
import { type ImageManifest, imageManifestSchema, manifestFault } from "./manifest.ts";

const digest = `sha256:${"0".repeat(64)}`;
const base = {
  name: "debian-12",
  version: "1",
  architecture: "x86_64",
  user: "debian",
  memoryBytesMin: 1,
} as const;
const manifest = (roles: string, boot: ImageManifest["boot"]["kind"], change: object = {}) =>
  imageManifestSchema.parse({
    ...base,
    boot: boot === "kernel" ? { kind: boot, kernelArguments: "" } : { kind: boot },
    parts: roles.split(" ").map((role) => ({ role, digest, sizeBytes: 1 })),
    ...change,
  });
const qcow2 = { rootDiskFormat: "qcow2" };

test("kernel and initramfs, with or without a root disk, or a disk alone make an image", () => {
  expect(manifestFault(manifest("kernel initramfs", "kernel"))).toBeNull();
  expect(manifestFault(manifest("kernel initramfs disk", "kernel", qcow2))).toBeNull();
  expect(manifestFault(manifest("disk", "disk", { rootDiskFormat: "raw" }))).toBeNull();
});

test.each([
  ["kernel", "kernel", {}],
  ["kernel kernel initramfs", "kernel", {}],
  ["kernel initramfs disk", "kernel", {}],
  ["kernel initramfs", "kernel", qcow2],
  ["kernel initramfs disk disk", "kernel", qcow2],
  ["kernel initramfs disk", "disk", qcow2],
  ["disk", "kernel", qcow2],
  ["disk", "disk", {}],
] as const)(
  "%s booted by %s with %o is refused, and told what is missing",
  (roles, boot, change) => {
    expect(manifestFault(manifest(roles, boot, change))).toMatch(/; (give|leave)/);
  },
);

test("a boot loader that would need UEFI is refused by name", () => {
  const fault = manifestFault(manifest("disk", "disk", { ...qcow2, architecture: "aarch64" }));
  expect(fault).toMatch(/UEFI on aarch64/);
});

test("an image from before disks were taken is what it was", () => {
  const old = { ...manifest("kernel initramfs", "kernel") };
  expect(Object.keys(old).sort().join()).toBe(
    "architecture,boot,memoryBytesMin,name,parts,user,version",
  );
});
