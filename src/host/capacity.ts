import { z } from "zod";
import { architectureSchema, sizeSchema } from "../unit/schema.ts";

export const hostFactsSchema = z.strictObject({
  accelerator: z.enum(["kvm", "tcg"]),
  /** How KVM was proven, or why it is not used. */
  acceleratorReason: z.string(),
  driver: z.string(),
  driverVersion: z.string(),
  kernel: z.string(),
  /** Numbers of the cores that the agent may use. */
  cores: z.array(z.number().int().nonnegative()),
  /** Those of them that are in standby. */
  standbyCores: z.array(z.number().int().nonnegative()).optional(),
  cpuModel: z.string(),
  /** Guests can be held to a part of the pool: shared cpu, and fractions of a core. */
  sharedCpu: z.boolean(),
  /** The host's kernel holds a guest's process to its memory. */
  memoryLimit: z.boolean(),
  /** What of control groups works there, or why not. */
  controlGroupsReason: z.string(),
  /** Guests can be let out to public addresses alone; absent, from older agents: no. */
  internet: z.boolean().optional(),
  /** How that was proven, or why not and what to do. */
  internetReason: z.string().optional(),
});
export type HostFacts = z.infer<typeof hostFactsSchema>;

/** What this computer gives to the market, as its agent found it and was told. */
export const hostCapacitySchema = z.strictObject({
  architecture: architectureSchema,
  reserve: sizeSchema,
  base: sizeSchema,
  /** Installed and not enabled. Agents from before there was any do not speak of it. */
  standby: sizeSchema.optional(),
  facts: hostFactsSchema,
});
export type HostCapacity = z.infer<typeof hostCapacitySchema>;

/** The cores that guests may run on: standby ones are nobody's before a code enables them. */
export function baseCores({ cores, standbyCores }: HostFacts): readonly number[] {
  return cores.filter((core) => !standbyCores?.includes(core));
}
