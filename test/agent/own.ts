import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cut, cutPartition } from "../../src/agent/allocation/cut.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import type { LeaseRow } from "../../src/agent/lease/store.ts";
import { beginOwnGuest } from "../../src/agent/own/guest.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import { imageManifest, imageParts } from "./fake-image.ts";
import { GIB } from "./fake-server.ts";

export const OWNER_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
export const SIZE = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };

/** An image as a builder leaves it: a file a part. */
export function imageFiles(folder: string, parts = imageParts) {
  const at = join(folder, "given");
  mkdirSync(at, { recursive: true });
  const files = parts.map((bytes, index) => {
    const path = join(at, `part-${index}`);
    writeFileSync(path, bytes);
    return path;
  });
  return { manifest: imageManifest, files };
}

/** Cuts a partition of a host alone; a refusal is thrown. */
export function cut(context: AgentContext, name: string, change: Partial<Cut> = {}) {
  const done = cutPartition(context, name, { size: SIZE, ...change });
  if (done instanceof Refusal) throw done;
  return done;
}

/** Starts a guest of the owner's, as the socket does; what was refused is given back. */
export function begin(context: AgentContext, name: string, clientKey = OWNER_KEY) {
  const image = imageFiles(context.config.dataFolder);
  return beginOwnGuest(context, name, { image, clientKey });
}

export async function begun(context: AgentContext, name: string): Promise<LeaseRow> {
  const done = await begin(context, name);
  if (!("leaseId" in done)) throw new Error(`refused as ${done.code}: ${done.message}`);
  return done;
}
