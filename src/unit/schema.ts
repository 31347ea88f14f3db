import { z } from "zod";
import { type Id, type IdPrefix, idPattern } from "./id.ts";
import type { Size } from "./size.ts";

/** The shapes that travel, used by signed payloads and by the HTTP contract alike. */

export function idSchema<P extends IdPrefix>(prefix: P): z.ZodType<Id<P>, Id<P>> {
  const text = z.string().regex(idPattern(prefix), `expected an id like ${prefix}_01k…`);
  return text as unknown as z.ZodType<Id<P>, Id<P>>;
}

/** A whole number that is not negative, as a decimal string: money and quantities have no floats. */
export const naturalText = z
  .string()
  .regex(/^(0|[1-9]\d{0,39})$/, "expected a whole number as text");
/** An amount of money that somebody names: a billion units at the most, in micro-units. */
export const microsText = naturalText.refine((text) => BigInt(text) <= 10n ** 15n, {
  error: "expected an amount below a billion",
});
/** A whole number as a decimal string. */
export const integerText = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,39})$/, "expected a whole number as text");

/** Within the four-digit years, in UTC too: outside of them an instant is written another way. */
export const instantText = z.iso.datetime({ offset: true }).refine((text) => {
  const year = new Date(text).getUTCFullYear();
  return year >= 1 && year <= 9999;
}, "expected a year between 0001 and 9999");
export const sha256Text = z.string().regex(/^[0-9a-f]{64}$/);
export const digestText = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** What people call a party, host or partition. */
export const nameText = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    "use lower case letters, digits and hyphens, beginning with a letter or digit",
  );
export const jwsText = z.string().max(4_000_000);
export const jwkSchema = z.record(z.string(), z.string());

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
/** Ten thousand cores; far below what a column holds. */
const cpuMilli = count.max(10_000_000);
const MIB = 2 ** 20;
const wholeMib = count.multipleOf(MIB, "expected a multiple of 1 MiB (1048576 bytes)");
export const sizeSchema: z.ZodType<Size> = z.strictObject({
  cpuMilli,
  memoryBytes: count,
  diskBytes: count,
});

/** A size that a guest can be given: machines have memory and disks in whole MiB. */
export const guestSizeSchema: z.ZodType<Size> = z.strictObject({
  cpuMilli,
  memoryBytes: wholeMib,
  diskBytes: wholeMib,
});

export const cpuModeSchema = z.enum(["dedicated", "shared"]);
export type CpuMode = z.infer<typeof cpuModeSchema>;
export const architectureSchema = z.enum(["x86_64", "aarch64"]);
export type Architecture = z.infer<typeof architectureSchema>;
