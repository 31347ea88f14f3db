import { z } from "zod";
import { architectureSchema, digestText } from "../unit/schema.ts";

/** An operating system on the file server. Its own digest is that of its canonical JSON. */
export const imageManifestSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,62}$/),
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,62}$/),
  architecture: architectureSchema,
  boot: z.strictObject({
    kind: z.literal("kernel"),
    kernelArguments: z
      .string()
      .max(1024)
      .regex(/^[\x20-\x7e]*$/),
  }),
  /** Who the client logs in as. */
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
  memoryBytesMin: z.number().int().positive(),
  parts: z
    .array(
      z.strictObject({
        role: z.enum(["kernel", "initramfs"]),
        digest: digestText,
        sizeBytes: z.number().int().positive(),
      }),
    )
    .min(1)
    .max(8),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;
export type ImagePart = ImageManifest["parts"][number];
