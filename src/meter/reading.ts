import { z } from "zod";
import { naturalText } from "../unit/schema.ts";

/** Cumulative counters of a partition at an instant. */
export interface Reading {
  /** Wall time, ISO 8601 in UTC. For people, and to bridge two boots; never for lengths. */
  readonly at: string;
  readonly bootId: string;
  readonly monotonicNs: bigint;
  /** Names one run of the guest; null when none runs. */
  readonly processId: string | null;
  /** Time that the guest's virtual cpus ran, since `processId` began. */
  readonly cpuNs: bigint;
  /** The guest ran and the promised way in worked. */
  readonly answered: boolean;
}

/** Reads what `readingToJson` wrote. */
export const readingSchema: z.ZodType<Reading> = z.strictObject({
  at: z.iso.datetime(),
  bootId: z.string(),
  monotonicNs: naturalText.transform(BigInt),
  processId: z.string().nullable(),
  cpuNs: naturalText.transform(BigInt),
  answered: z.boolean(),
});

export function readingToJson(reading: Reading) {
  return {
    ...reading,
    monotonicNs: reading.monotonicNs.toString(),
    cpuNs: reading.cpuNs.toString(),
  };
}
