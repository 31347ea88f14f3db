import { toProblem } from "../../refusal/problem.ts";
import type { Refusal } from "../../refusal/refusal.ts";

/** What the agent says to a local command: JSON, or a problem from 400 up. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

export function problem(told: Refusal): Answer {
  return { status: told.httpStatus, body: toProblem(told) };
}

/** Of a decision whose codes are its own, as the server is told them in a report. */
export function namedProblem(
  { code, message: detail }: { readonly code: string; readonly message: string },
  status = 409,
): Answer {
  const type = `urn:sublet:refusal:${code}`;
  return { status, body: { type, title: code.replaceAll("-", " "), status, code, detail } };
}
