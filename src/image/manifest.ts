import { z } from "zod";
import { architectureSchema, digestText } from "../unit/schema.ts";

export const DISK_FORMATS = ["qcow2", "raw"] as const;
/** How the bytes of a disk part are laid out; it is told to QEMU and never guessed there. */
export type DiskFormat = (typeof DISK_FORMATS)[number];

/** An operating system on the file server. Its own digest is that of its canonical JSON. */
export const imageManifestSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,62}$/),
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,62}$/),
  architecture: architectureSchema,
  /** `kernel`: the host loads kernel and initramfs. `disk`: firmware runs the disk's boot loader. */
  boot: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("kernel"),
      kernelArguments: z
        .string()
        .max(1024)
        .regex(/^[\x20-\x7e]*$/),
    }),
    z.strictObject({ kind: z.literal("disk") }),
  ]),
  /** What takes the keys from the seed volume: cloud-init's NoCloud, or (left out) `sublet`'s own. */
  seed: z.enum(["sublet", "nocloud"]).optional(),
  /** Who the client logs in as. */
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
  memoryBytesMin: z.number().int().positive(),
  /** Of the disk part, when there is one. */
  rootDiskFormat: z.enum(DISK_FORMATS).optional(),
  /** The size that the guest sees of the disk part before it is grown. */
  diskBytesMin: z.number().int().positive().optional(),
  parts: z
    .array(
      z.strictObject({
        role: z.enum(["kernel", "initramfs", "disk"]),
        digest: digestText,
        sizeBytes: z.number().int().positive(),
      }),
    )
    .min(1)
    .max(8),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;
export type ImagePart = ImageManifest["parts"][number];
export type ImageSeed = NonNullable<ImageManifest["seed"]>;

/** What the shape alone cannot say: null, or what is wrong and what to do about it. */
export function manifestFault(manifest: ImageManifest): string | null {
  const { architecture, boot, parts, rootDiskFormat } = manifest;
  const count = (role: ImagePart["role"]) => parts.filter((part) => part.role === role).length;
  const loaded = boot.kind === "kernel" ? 1 : 0;
  if (count("kernel") !== loaded || count("initramfs") !== loaded) {
    return boot.kind === "kernel"
      ? "an image that is booted by its kernel has one kernel and one initramfs; give these two"
      : "an image that is booted by firmware has a disk and no kernel beside it; leave it out";
  }
  if (count("disk") > 1 || (boot.kind === "disk" && count("disk") === 0)) {
    return "an image has one disk, or none where a kernel is loaded; give one";
  }
  if ((count("disk") === 1) !== (rootDiskFormat !== undefined)) {
    return "rootDiskFormat goes with a disk part; give both or neither";
  }
  if (boot.kind === "disk" && architecture !== "x86_64") {
    // BIOS is what runs boot loaders here, and only x86_64 has one.
    return `a disk with a boot loader needs UEFI on ${architecture}, which is not supported yet; give kernel, initramfs and root disk`;
  }
  return null;
}

/** The one part of a role, of a manifest without fault. */
export function partOf(manifest: ImageManifest, role: ImagePart["role"]): ImagePart | undefined {
  return manifest.parts.find((part) => part.role === role);
}
