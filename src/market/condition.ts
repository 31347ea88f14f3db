import { z } from "zod";

/** What a lender says of an offer beside its prices, and a requirement asks for. */

const LABELS_MAX = 32;
const labelKey = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "a label is named with lower case letters and digits");
const labelValue = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    "a label's value is letters, digits, dots and hyphens",
  );
/** Such as `region=eu`. */
export const labelsSchema = z
  .record(labelKey, labelValue)
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`);
export type Labels = Readonly<Record<string, string>>;

/** Who may borrow. Whoever may not never sees the offer. */
export const BORROWERS = ["everyone", "only", "except"] as const;
export type BorrowerRule = (typeof BORROWERS)[number];
const parties = z
  .array(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "expected a party's id or name"))
  .min(1)
  .max(1000);
export const borrowersSchema = z.discriminatedUnion("who", [
  z.strictObject({ who: z.literal("everyone") }),
  z.strictObject({ who: z.literal("only"), parties }),
  z.strictObject({ who: z.literal("except"), parties }),
]);
