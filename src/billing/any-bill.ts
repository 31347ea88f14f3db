import { z } from "zod";
import { billDocumentSchema } from "./bill.ts";
import { capacityBillSchema } from "./capacity/bill.ts";

/** A closed bill: of a lease, or of enabled capacity. */
export const anyBillSchema = z.discriminatedUnion("version", [
  billDocumentSchema,
  capacityBillSchema,
]);
export type AnyBill = z.infer<typeof anyBillSchema>;
