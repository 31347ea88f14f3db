import { ApiError, UnreachableError } from "../../api/client/error.ts";
import type { OwnGrant } from "../../enablement/own-grant.ts";
import { type ImageManifest, imageManifestSchema } from "../../image/manifest.ts";
import { isEnding } from "../../partition/step.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import { newId } from "../../unit/id.ts";
import { listPartitions, type PartitionAllocation } from "../allocation/store.ts";
import { type AgentContext, hasServer, instantNow } from "../context.ts";
import { copyImage } from "../image/copy.ts";
import { EffectFailure } from "../lease/effect-failure.ts";
import { changeLease, insertLease, type LeaseRow, occupantOf, readLease } from "../lease/store.ts";
import { judgeOwnGrant } from "./judge.ts";

/**
 * Guests of the host's owner: in partitions that are not lendable, without a lease. Each is a row
 * beside those of leases, with a grant that the agent signs for itself; from there on it goes
 * through the same stages, and no server hears of it.
 */

/** What to boot: an image of a folder on this computer, or one of the file server by its name. */
export type OwnImage =
  | { readonly manifest: ImageManifest; readonly files: readonly string[] }
  | { readonly name: string };

export interface NamedRefusal {
  readonly code: string;
  readonly message: string;
}
type Done = LeaseRow | Refusal | NamedRefusal;

/** A new guest in a partition that has none. The image is in the cache before anything is stored. */
export async function beginOwnGuest(
  context: AgentContext,
  name: string,
  wish: { readonly image: OwnImage; readonly clientKey: string },
): Promise<Done> {
  const partition = partitionNamed(context, name);
  if (!("partitionId" in partition)) return partition;
  const taken = refuseTaken(context, partition);
  if (taken !== null) return taken;
  const manifest = await manifestOf(context, wish.image);
  if (!("parts" in manifest)) return manifest;
  const grant = ownGrant(context, partition, manifest, wish.clientKey);
  const { leaseId } = grant;
  const { partitionId } = partition;
  const grantJws = sign("sublet-own-grant", grant, context.keys.current());
  const judgement = judgeOwnGrant(context, { leaseId, partitionId, grantJws });
  if (!judgement.ok) return judgement;
  if ("files" in wish.image) {
    const failed = await copied(context, manifest, wish.image.files);
    if (failed !== null) return failed;
  }
  // Somebody else may have been as quick while the image was copied.
  const late = refuseTaken(context, partition);
  if (late !== null) return late;
  insertLease(
    context.db,
    { leaseId, partitionId, grantJws, receivedAt: instantNow(context) },
    "own",
  );
  context.log.info({ partition: name, guestId: leaseId }, "an own guest is to be started");
  return readBack(context, leaseId);
}

/** On or off, on the same disk. A wish of before the guest is there is kept until it is. */
export function setOwnPower(context: AgentContext, name: string, state: "on" | "off"): Done {
  const found = ownGuestIn(context, name);
  if (!("leaseId" in found)) return found;
  if (isEnding(found.stage) || found.endReason !== null) {
    return refusal("partition-has-guest", { partition: name });
  }
  changeLease(context.db, found.leaseId, {
    powerState: state,
    powerGeneration: found.powerGeneration + 1,
    isPowerCut: false,
  });
  return readBack(context, found.leaseId);
}

/** Ends the guest and removes its disk. Asked again, it is under way. */
export function wipeOwnGuest(context: AgentContext, name: string): Done {
  const found = ownGuestIn(context, name);
  if (!("leaseId" in found)) return found;
  if (found.endReason === null) {
    changeLease(context.db, found.leaseId, { endReason: "wiped-by-owner" });
  }
  return readBack(context, found.leaseId);
}

export function ownGuestIn(context: AgentContext, name: string): LeaseRow | Refusal {
  const partition = partitionNamed(context, name);
  if (!("partitionId" in partition)) return partition;
  const occupant = occupantOf(context.db, partition.partitionId);
  return occupant?.origin === "own" ? occupant : refusal("no-own-guest", { partition: name });
}

function partitionNamed({ db }: AgentContext, name: string): PartitionAllocation | Refusal {
  const found = listPartitions(db).find((partition) => partition.name === name);
  return found ?? refusal("not-found", { what: "partition", id: name });
}

function refuseTaken(
  { db }: AgentContext,
  { partitionId, name }: PartitionAllocation,
): Refusal | null {
  const occupant = occupantOf(db, partitionId);
  if (occupant === null) return null;
  if (occupant.origin === "own") return refusal("partition-has-guest", { partition: name });
  const { leaseId, endsAt } = occupant;
  return refusal("partition-in-use", { partition: name, leaseId, until: endsAt ?? "its end" });
}

async function manifestOf(
  context: AgentContext,
  image: OwnImage,
): Promise<ImageManifest | Refusal | NamedRefusal> {
  if ("manifest" in image) return imageManifestSchema.parse(image.manifest);
  if (!hasServer(context)) {
    const message = `this host has no server, and so no file server with an image ${image.name}; give the folder of an image with --image`;
    return { code: "no-file-server", message };
  }
  const listed = await context.server.client.call("listImages").catch((error: unknown) => {
    if (error instanceof UnreachableError || error instanceof ApiError) return error;
    throw error;
  });
  if (listed instanceof Error) return listed;
  const { images } = listed;
  const { architecture } = context.capacity;
  const fitting = images.filter(({ manifest }) => manifest.architecture === architecture);
  const found = fitting.findLast(({ manifest }) => manifest.name === image.name);
  if (found !== undefined) return found.manifest;
  const known = [...new Set(fitting.map(({ manifest }) => manifest.name))];
  return refusal("image-unknown", { os: image.name, known });
}

async function copied(
  context: AgentContext,
  manifest: ImageManifest,
  files: readonly string[],
): Promise<NamedRefusal | null> {
  try {
    await copyImage(context, manifest, files);
    return null;
  } catch (error) {
    if (error instanceof EffectFailure) return error;
    throw error;
  }
}

function ownGrant(
  context: AgentContext,
  { partitionId, name, cpuMode, size }: PartitionAllocation,
  manifest: ImageManifest,
  clientKey: string,
): OwnGrant {
  const { hostId } = context.host;
  const nowMs = context.clock.now().getTime();
  return {
    jti: newId("grant", nowMs),
    ...{ iss: hostId, aud: hostId, issuedAt: instantNow(context) },
    leaseId: newId("lease", nowMs),
    partition: { partitionId, name, cpuMode, size },
    image: { digest: `sha256:${sha256Hex(canonicalJson(manifest))}`, manifest },
    clientKey,
    agentKeyThumbprint: context.keys.current().kid,
  };
}

function readBack(context: AgentContext, leaseId: string): LeaseRow {
  const row = readLease(context.db, leaseId);
  if (row === null) throw new Error(`${leaseId} was just written`);
  return row;
}
