import type { Kysely, Selectable } from "kysely";
import type { DB, Image as ImageRow } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import { type ImageId, newId } from "../unit/id.ts";
import type { Architecture } from "../unit/schema.ts";
import { type ImageManifest, imageManifestSchema } from "./manifest.ts";

export interface Image {
  readonly imageId: ImageId;
  /** `sha256:` of the manifest's canonical JSON, which names the digest of every part. */
  readonly digest: string;
  readonly manifest: ImageManifest;
  readonly createdAt: Date;
}

export function manifestDigest(manifest: ImageManifest): string {
  return `sha256:${sha256Hex(canonicalJson(manifest))}`;
}

/** Adding the same manifest again answers the image that is there. */
export async function insertImage(
  db: Kysely<DB>,
  manifest: ImageManifest,
  now: Date,
): Promise<Image> {
  await db
    .insertInto("image")
    .values({
      imageId: newId("image", now.getTime()),
      name: manifest.name,
      version: manifest.version,
      architecture: manifest.architecture,
      digest: manifestDigest(manifest),
      manifest: JSON.stringify(manifest),
      memoryBytesMin: manifest.memoryBytesMin,
      createdAt: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await db
    .selectFrom("image")
    .selectAll()
    .where("digest", "=", manifestDigest(manifest))
    .executeTakeFirst();
  if (!row) throw refusal("image-exists", { name: manifest.name, version: manifest.version });
  return toImage(row);
}

export async function listImages(db: Kysely<DB>): Promise<Image[]> {
  const rows = await db
    .selectFrom("image")
    .selectAll()
    .orderBy("name")
    .orderBy("imageId")
    .execute();
  return rows.map(toImage);
}

/** `small-linux` names its newest version of an architecture, `small-linux@1` that version. */
export async function findImages(
  db: Kysely<DB>,
  os: string,
): Promise<ReadonlyMap<Architecture, Image>> {
  const at = os.indexOf("@");
  const name = at < 0 ? os : os.slice(0, at);
  const version = at < 0 ? undefined : os.slice(at + 1);
  const rows = await db
    .selectFrom("image")
    .selectAll()
    .where("name", "=", name)
    .$if(version !== undefined, (query) => query.where("version", "=", version ?? ""))
    .orderBy("imageId")
    .execute();
  if (rows.length === 0) {
    const known = await db.selectFrom("image").select("name").distinct().orderBy("name").execute();
    throw refusal("image-unknown", { os, known: known.map((image) => image.name) });
  }
  return new Map(rows.map((row) => [row.architecture as Architecture, toImage(row)]));
}

export async function getImage(db: Kysely<DB>, imageId: string): Promise<Image> {
  const row = await db
    .selectFrom("image")
    .selectAll()
    .where("imageId", "=", imageId)
    .executeTakeFirstOrThrow();
  return toImage(row);
}

function toImage(row: Selectable<ImageRow>): Image {
  return {
    imageId: row.imageId as ImageId,
    digest: row.digest,
    manifest: imageManifestSchema.parse(row.manifest),
    createdAt: row.createdAt,
  };
}
