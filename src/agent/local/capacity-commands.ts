import { z } from "zod";
import { receiptFileSchema } from "../../enablement/capacity/report-file.ts";
import { capacityResourceSchema } from "../../enablement/capacity/resource.ts";
import { thresholdSchema } from "../../enablement/capacity/terms.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import type { PartyId } from "../../unit/id.ts";
import { idSchema, nameText } from "../../unit/schema.ts";
import { listActs } from "../capacity/act-store.ts";
import { listCodes } from "../capacity/code-store.ts";
import { enable } from "../capacity/enable.ts";
import { giveBack } from "../capacity/give-back.ts";
import { lend } from "../capacity/lend.ts";
import { answerDemand, billOnDemand } from "../capacity/once.ts";
import { importReceipts } from "../capacity/receipts.ts";
import { exportPart } from "../capacity/report.ts";
import { showCapacity } from "../capacity/show.ts";
import { setThreshold } from "../capacity/threshold.ts";
import type { AgentContext } from "../context.ts";
import { tellLentOnce } from "../report-capacity.ts";
import { type Answer, ok, problem } from "./answer.ts";

export const enableSchema = z.strictObject({
  code: z.string().max(100_000).optional(),
  partition: nameText.optional(),
  shared: z.boolean().optional(),
  resource: capacityResourceSchema.optional(),
  quantity: z.number().int().positive().optional(),
  consent: z.string().max(10_000).optional(),
});
export const returnSchema = z.union([
  z.strictObject({ service: idSchema("service") }),
  z.strictObject({ partition: nameText }),
  z.strictObject({ shared: z.literal(true) }),
]);
const lendSchema = z.strictObject({
  code: z.union([z.string().max(100_000), z.strictObject({ codeId: idSchema("code") })]),
});
const keepSchema = z.strictObject({ codeId: idSchema("code") });
export const thresholdWishSchema = z.strictObject({
  providerId: idSchema("party").optional(),
  partition: nameText,
  threshold: thresholdSchema,
});
const providerSchema = z.strictObject({ providerId: idSchema("party").optional() });
const exportSchema = providerSchema.extend({
  /** Where the part before ended; null: the first. */
  after: z
    .strictObject({
      actSeq: z.number().int().nonnegative().nullable(),
      position: z.number().int().nonnegative(),
    })
    .nullable()
    .default(null),
});
const historySchema = z.strictObject({ fromSeq: z.number().int().positive().default(1) });
/** So many acts at once; the next are asked for by the number of the last. */
const HISTORY_MAX = 500;

/** One command: its body's shape and what it does; a Refusal becomes a problem. */
function command<T>(
  schema: z.ZodType<T>,
  work: (context: AgentContext, body: T) => unknown,
): (context: AgentContext, name: string, body: unknown) => Promise<Answer> {
  return async (context, _name, body) => {
    const read = schema.safeParse(body ?? {});
    if (!read.success) {
      return problem(refusal("invalid-input", { message: z.prettifyError(read.error) }));
    }
    const done = await work(context, read.data);
    return done instanceof Refusal ? problem(done) : ok(done);
  };
}

export const CAPACITY_COMMANDS = [
  ["GET", /^\/v1\/capacity$/, command(z.unknown(), (context) => showCapacity(context))],
  ["POST", /^\/v1\/capacity\/enable$/, command(enableSchema, enable)],
  [
    "POST",
    /^\/v1\/capacity\/return$/,
    command(returnSchema, async (context, wish) => {
      const returned = await giveBack(context, wish);
      return returned instanceof Refusal ? returned : { returned: returned.map(idOf) };
    }),
  ],
  [
    "POST",
    /^\/v1\/capacity\/lend$/,
    command(lendSchema, async (context, { code }) => {
      const lent = await lend(context, code);
      if (!(lent instanceof Refusal)) await tellLentOnce(context);
      return lent;
    }),
  ],
  [
    "POST",
    /^\/v1\/capacity\/keep$/,
    command(keepSchema, (_context, { codeId }) => refusal("keep-by-server", { codeId })),
  ],
  ["POST", /^\/v1\/capacity\/threshold$/, command(thresholdWishSchema, setThreshold)],
  [
    "POST",
    /^\/v1\/capacity\/history$/,
    command(historySchema, ({ db }, { fromSeq }) => ({ acts: listActs(db, fromSeq, HISTORY_MAX) })),
  ],
  [
    "POST",
    /^\/v1\/capacity\/bill-now$/,
    command(providerSchema, async (context, { providerId }) => ({
      bills: await billOnDemand(context, providerId ?? null),
    })),
  ],
  [
    "POST",
    /^\/v1\/capacity\/export$/,
    command(exportSchema, (context, { providerId = onlyProvider(context), after }) =>
      typeof providerId === "string" ? exportPart(context, providerId, after) : providerId,
    ),
  ],
  [
    "POST",
    /^\/v1\/capacity\/import$/,
    command(receiptFileSchema, async (context, file) => {
      const taken = importReceipts(context, file);
      // Without a network the demand comes with the file.
      if (!(taken instanceof Refusal) && file.billNow !== undefined) {
        await answerDemand(context, file.providerId, file.billNow.demandedAt);
      }
      return taken;
    }),
  ],
] as const;

function idOf({ serviceId }: { readonly serviceId: string }): string {
  return serviceId;
}

function onlyProvider({ db }: AgentContext): PartyId | Refusal {
  const all = [...new Set(listCodes(db).map(({ code }) => code.iss))];
  const [first] = all;
  if (first === undefined) return refusal("capacity-none", { resource: "cpu" });
  return all.length === 1 ? first : refusal("provider-not-named", { providers: all });
}
