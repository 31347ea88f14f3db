import { z } from "zod";
import { outboxSchema } from "../../lease/outbox.ts";
import { RUN_KINDS, RUN_STATES } from "../../lease/run-state.ts";
import { idSchema, instantText, naturalText } from "../../unit/schema.ts";
import { operation } from "./operation.ts";
import { leaseOutcomeSchema, leaseStateSchema } from "./view.ts";

/** What a client runs: seen by that client alone. */

export const newRunSchema = z.strictObject({
  /** The client's: several bookings may be for one run. */
  runId: idSchema("run"),
  kind: z.enum(RUN_KINDS),
  /** As it is shown in lists; the command itself goes to the guest and not to the server. */
  command: z.string().max(4096),
  /** Of each lease. */
  outbox: outboxSchema.optional(),
});

export const runView = z.strictObject({
  runId: idSchema("run"),
  kind: z.enum(RUN_KINDS),
  command: z.string(),
  state: z.enum(RUN_STATES),
  exitCode: z.number().int().nullable(),
  createdAt: instantText,
  cancelledAt: instantText.nullable(),
  finishedAt: instantText.nullable(),
  currency: z.string(),
  /** The sum of the bills of its leases that are closed. */
  billedMicros: naturalText,
  leases: z.array(
    z.strictObject({
      leaseId: idSchema("lease"),
      state: leaseStateSchema,
      outcome: leaseOutcomeSchema.nullable(),
      startedAt: instantText.nullable(),
      exitedAt: instantText.nullable(),
      exitCode: z.number().int().nullable(),
      billId: idSchema("bill").nullable(),
      totalMicros: naturalText.nullable(),
      /** Null: nothing is kept of it. `awaited`: they are not at the server yet. */
      outputs: z
        .strictObject({
          state: z.enum(["awaited", "kept", "gone"]),
          bytesMax: z.number().int(),
          bytes: z.number().int().nullable(),
          until: instantText.nullable(),
          reason: z.string().nullable(),
        })
        .nullable(),
    }),
  ),
});
export type RunView = z.infer<typeof runView>;

const params = z.strictObject({ runId: idSchema("run") });

export const runOperations = {
  listRuns: operation({
    method: "GET",
    path: "/v1/client/runs",
    summary: "What you ran and run, newest first.",
    query: z.strictObject({
      /** The last id of the page before. */
      cursor: z
        .string()
        .regex(/^[a-z0-9_]{1,64}$/)
        .optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
    response: z.strictObject({ runs: z.array(runView), nextCursor: z.string().nullable() }),
  }),
  showRun: operation({
    method: "GET",
    path: "/v1/client/runs/:runId",
    summary: "One run, its leases, and what they cost together.",
    params,
    response: runView,
  }),
  finishRun: operation({
    method: "PUT",
    path: "/v1/client/runs/:runId/result",
    summary: "How it ended, from a client that waited. The first word stays.",
    params,
    body: z.strictObject({ exitCode: z.number().int().min(0).max(255) }),
    response: runView,
  }),
  cancelRun: operation({
    method: "POST",
    path: "/v1/client/runs/:runId/cancel",
    summary: "End all its leases now. Repeating it changes nothing.",
    params,
    response: runView,
  }),
  dropOutputs: operation({
    method: "DELETE",
    path: "/v1/client/leases/:leaseId/outputs",
    summary: "The outputs were fetched; the server keeps them no longer.",
    params: z.strictObject({ leaseId: idSchema("lease") }),
    response: z.strictObject({ leaseId: idSchema("lease") }),
  }),
};
