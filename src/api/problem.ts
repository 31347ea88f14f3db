import type { FastifyError } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { isConnectionLost, isDiskFull } from "../database/failure.ts";
import { CommitUnknownError } from "../database/transaction.ts";
import { type Problem, toProblem } from "../refusal/problem.ts";
import { type Refusal, Refusal as RefusalClass, refusal } from "../refusal/refusal.ts";

/** Problem details (RFC 9457). What the server itself did wrong reveals nothing but where to look. */
export function problemOf(error: unknown, requestId: string): { problem: Problem; own: boolean } {
  const known = refusalOf(error);
  const answered = known ?? refusal("internal", { requestId });
  return { problem: toProblem(answered), own: known === undefined };
}

function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof RefusalClass) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const parts = error.validation.map(({ instancePath, message }) => {
      const where = instancePath.replaceAll("/", ".").replace(/^\./, "");
      return where ? `${where}: ${message}` : message;
    });
    return refusal("invalid-input", { message: parts.join("; ") });
  }
  if (isConnectionLost(error) || error instanceof CommitUnknownError) {
    return refusal("not-ready", { message: "the database does not answer" });
  }
  if (isDiskFull(error)) return refusal("storage-full", {});
  const { statusCode, code, message } = error as Partial<FastifyError>;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return refusal("too-large", { limitBytes: BODY_BYTES_MAX });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return refusal("invalid-input", { message: message ?? "the request could not be read" });
  }
  return undefined;
}

/** The largest signed batch of usage records, with room to spare. */
export const BODY_BYTES_MAX = 5_000_000;
