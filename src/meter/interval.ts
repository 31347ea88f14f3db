import { z } from "zod";
import type { Id } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import { naturalText } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { RecordCapacity } from "./capacity-record.ts";
import { hashRecord } from "./chain.ts";
import type { Reading } from "./reading.ts";
import type { HashedRecord, MeteredId, UsageRecord } from "./record.ts";
import type { Usage } from "./usage.ts";

/** Readings added up since the last record; not yet a record, so a crash may lose nothing of it. */
export interface OpenInterval extends Usage {
  readonly from: UsageRecord["from"];
  readonly to: UsageRecord["to"];
}

export function openInterval(reading: Reading): OpenInterval {
  const instant = instantOf(reading);
  return { from: instant, to: instant, elapsedNs: 0n, deliveredNs: 0n, cpuNs: 0n, gap: false };
}

/** `usage` is that between the interval's end and `reading`, which becomes its end. */
export function extend(open: OpenInterval, usage: Usage, reading: Reading): OpenInterval {
  return {
    from: open.from,
    to: instantOf(reading),
    elapsedNs: open.elapsedNs + usage.elapsedNs,
    deliveredNs: open.deliveredNs + usage.deliveredNs,
    cpuNs: open.cpuNs + usage.cpuNs,
    gap: open.gap || usage.gap,
  };
}

/** What every record of a chain says alike. */
export interface ChainTerms {
  readonly chainId: MeteredId;
  readonly hostId: Id<"host">;
  readonly partitionId: Id<"partition">;
  readonly cpuMode: CpuMode;
  readonly size: Size;
}

export interface RecordPlace extends ChainTerms {
  readonly seq: number;
  /** Of the record before; of number 1, the chain's origin. */
  readonly previousHash: string;
  readonly final: boolean;
}

/** `capacity` is for records of enabled capacity; those of leases are without. */
export function closeInterval(
  open: OpenInterval,
  place: RecordPlace,
  capacity?: RecordCapacity,
): HashedRecord {
  const { chainId, seq, previousHash, hostId, partitionId, cpuMode, size, final } = place;
  const record: UsageRecord = {
    version: 1,
    chainId,
    seq,
    previousHash,
    hostId,
    partitionId,
    cpuMode,
    size,
    from: open.from,
    to: open.to,
    elapsedNs: open.elapsedNs.toString(),
    deliveredNs: open.deliveredNs.toString(),
    cpuNs: open.cpuNs.toString(),
    gap: open.gap,
    final,
    ...(capacity === undefined ? {} : { capacity }),
  };
  return { record, hash: hashRecord(record) };
}

const instantSchema = z.strictObject({
  at: z.string(),
  bootId: z.string(),
  monotonicNs: naturalText,
});

/** Reads what `intervalToJson` wrote. */
export const intervalSchema: z.ZodType<OpenInterval> = z.strictObject({
  from: instantSchema,
  to: instantSchema,
  elapsedNs: naturalText.transform(BigInt),
  deliveredNs: naturalText.transform(BigInt),
  cpuNs: naturalText.transform(BigInt),
  gap: z.boolean(),
});

export function intervalToJson(open: OpenInterval) {
  return {
    ...open,
    elapsedNs: open.elapsedNs.toString(),
    deliveredNs: open.deliveredNs.toString(),
    cpuNs: open.cpuNs.toString(),
  };
}

function instantOf({ at, bootId, monotonicNs }: Reading): UsageRecord["from"] {
  return { at, bootId, monotonicNs: monotonicNs.toString() };
}
