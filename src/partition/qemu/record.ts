import { readFile } from "node:fs/promises";
import type { GuestSpec } from "../driver.ts";
import { writeDurably } from "./durable-file.ts";
import { hasCode } from "./errno.ts";
import type { GuestFolder } from "./guest-folder.ts";
import type { ProcessIdentity } from "./process-table.ts";

/** What the driver writes down of a guest that it started: `guest.json`. */
export interface GuestRecord {
  readonly guestId: string;
  readonly process: ProcessIdentity;
  readonly bootId: string;
  readonly port: number;
  readonly address: string;
  readonly uid: number;
  readonly size: GuestSpec["size"];
  readonly cpuMode: GuestSpec["cpuMode"];
  readonly cores: readonly number[];
  readonly internet?: boolean;
  /** Of this life of the process; see `resize/`. */
  readonly cpuTakenOut?: boolean;
  /** Why the process is gone, where the driver ended it; else it died by itself. */
  readonly ended?: string;
}

export function recordOf(
  spec: GuestSpec,
  started: { readonly process: ProcessIdentity; readonly bootId: string; readonly port: number },
): GuestRecord {
  return {
    guestId: spec.guestId,
    process: started.process,
    bootId: started.bootId,
    port: started.port,
    address: spec.access.address,
    uid: spec.uid,
    size: spec.size,
    cpuMode: spec.cpuMode,
    cores: spec.cores,
    internet: spec.internet ?? false,
  };
}

/** Null when the guest was never started, as far as anybody wrote down. */
export async function readRecord(paths: GuestFolder): Promise<GuestRecord | null> {
  try {
    return JSON.parse(await readFile(paths.recordPath, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

export async function writeRecord(paths: GuestFolder, record: GuestRecord): Promise<void> {
  await writeDurably(paths.recordPath, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
}

/** Names one life of a guest's process: process numbers come round, boots of the host do not. */
export function processIdOf({ bootId, process }: Pick<GuestRecord, "bootId" | "process">): string {
  return `${bootId}:${process.pid}:${process.startTicks}`;
}
