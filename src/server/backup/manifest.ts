import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { BackupError } from "./error.ts";

/** Written last: a folder without it is no whole backup. */
export const MANIFEST = "backup.json";

const manifestSchema = z.strictObject({
  format: z.literal(1),
  version: z.string(),
  postgres: z.string(),
  /** The names of the migrations that the program knew: another must know them to read it. */
  migrations: z.array(z.string()),
  madeAt: z.string(),
  files: z.array(
    z.strictObject({
      path: z.string().regex(/^(database\/postgres|images|outputs)\/(?!.*\.\.)[^\0]+$/),
      bytes: z.number().int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

export async function readBackupManifest(folder: string): Promise<BackupManifest> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    throw new BackupError(
      "backup-incomplete",
      `${folder} holds no whole backup: there is no ${MANIFEST}, which is written last; choose another`,
    );
  });
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new BackupError(
    "backup-unreadable",
    `${path} is not of a backup that this version knows; restore it with the version that made it, or choose another`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
