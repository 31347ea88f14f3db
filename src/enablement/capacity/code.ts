import { z } from "zod";
import { idSchema, instantText, nameText, naturalText } from "../../unit/schema.ts";
import { billingPeriodSchema } from "./billing-period.ts";
import { capacityResourceSchema, isWholeQuantity } from "./resource.ts";
import {
  capacityTariffSchema,
  exhaustionSchema,
  reportingSchema,
  returnMeansSchema,
  thresholdRuleSchema,
} from "./terms.ts";

/**
 * `typ: sublet-capacity-code`: this host may use so much standby capacity. Signed by the provider;
 * it contains all that the host has to know, so that nothing has to be looked up (B5).
 */
export const capacityCodeSchema = z
  .strictObject({
    jti: idSchema("code"),
    /** The provider. */
    iss: idSchema("party"),
    providerName: nameText,
    /** The one host that may use it. */
    aud: idSchema("host"),
    issuedAt: instantText,
    /** The provider's number of its codes for this host, from 1; for people. Any order is accepted. */
    sequence: z.number().int().positive(),
    /** Who is billed: the host's owner. */
    customer: z.strictObject({ id: idSchema("party"), name: nameText }),
    requestId: idSchema("request").nullable(),
    resource: capacityResourceSchema,
    /** The most that is in service at once by this code, in milliCores or bytes. */
    quantity: z.number().int().positive(),
    /** In milliCore-nanoseconds or byte-nanoseconds: `--cpu 2 --for 30d` is 60 core-days. */
    resourceTime: naturalText.refine((text) => text !== "0", "a resource-time is not zero"),
    validity: z.strictObject({ start: instantText, end: instantText }),
    billingPeriod: billingPeriodSchema,
    threshold: thresholdRuleSchema,
    tariff: capacityTariffSchema,
    reporting: reportingSchema,
    exhaustion: exhaustionSchema,
    returnMeans: z.array(returnMeansSchema).min(1).max(3),
  })
  .refine(
    ({ validity }) => Date.parse(validity.start) < Date.parse(validity.end),
    "a code is valid until after it begins",
  )
  .refine(
    ({ resource, quantity }) => isWholeQuantity(resource, quantity),
    "cpu is enabled in whole cores, memory in blocks of 128 MiB",
  );
export type CapacityCode = z.infer<typeof capacityCodeSchema>;
