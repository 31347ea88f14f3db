import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { ImageManifest } from "../../image/manifest.ts";
import { readIfThere } from "../config/private-file.ts";
import { CliError } from "../failure.ts";
import type { Progress } from "../output/progress.ts";

export interface ImageFolder {
  readonly manifest: ImageManifest;
  /** The file of each part, in the order of the manifest's parts. */
  readonly files: readonly string[];
}

/** Reads `image.json`: the manifest that the server takes, and beside it each part's file name. */
export async function readImageFolder(folder: string): Promise<ImageFolder> {
  const path = join(folder, "image.json");
  const text = await readIfThere(path);
  if (text === undefined) {
    throw new CliError("no-image", `${path} does not exist; name the folder of a built image`, {
      path,
    });
  }
  const { imageManifestSchema } = await import("../../image/manifest.ts");
  const { z } = await import("zod");
  const part = imageManifestSchema.shape.parts.element;
  const fileName = z.string().regex(/^[^/\\]{1,255}$/, "expected a file of the same folder");
  const written = imageManifestSchema.extend({
    parts: z
      .array(part.extend({ file: fileName }))
      .min(1)
      .max(8),
  });
  const parsed = written.safeParse(parse(path, text));
  if (!parsed.success) throw unreadable(path, z.prettifyError(parsed.error).replace(/\s+/g, " "));
  const parts = parsed.data.parts.map(({ file, ...rest }) => rest);
  return {
    manifest: { ...parsed.data, parts },
    files: parsed.data.parts.map(({ file }) => file),
  };
}

/** Refuses a part that is not what the manifest says, before anything is sent. */
export async function checkParts(
  folder: string,
  manifest: ImageManifest,
  files: readonly string[],
  shown: Progress,
): Promise<void> {
  for (const [index, part] of manifest.parts.entries()) {
    const file = files[index] ?? "";
    shown.update(`checking ${file}`);
    const { digest, sizeBytes } = await measure(join(folder, file));
    if (digest === part.digest && sizeBytes === part.sizeBytes) continue;
    shown.done();
    throw new CliError(
      "image-part-differs",
      `${file} is not the file that image.json names (${digest}, ${sizeBytes} bytes); build the image again`,
      { file, expected: part.digest, actual: digest },
    );
  }
  shown.done();
}

/** Reads the file as it comes; it may be larger than the memory. */
export async function measure(path: string): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CliError(
      "image-part-missing",
      `${path} does not exist; check the name, or build the image again`,
      {
        path,
      },
    );
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(path, (error as SyntaxError).message);
  }
}

function unreadable(path: string, why: string): CliError {
  return new CliError(
    "image-unreadable",
    `${path} is not an image's manifest (${why}); correct it, or give the files themselves with --disk or --kernel`,
    { path },
  );
}
