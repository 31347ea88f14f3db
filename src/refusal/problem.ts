import type { Refusal } from "./refusal.ts";

/** A refusal as it travels over HTTP: problem details (RFC 9457) with our stable `code`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** What the refusal is about, by refusal code. */
  readonly about?: Record<string, unknown> | undefined;
}

export function toProblem(refusal: Refusal): Problem {
  return {
    type: `urn:sublet:refusal:${refusal.code}`,
    title: refusal.code.replaceAll("-", " "),
    status: refusal.httpStatus,
    code: refusal.code,
    detail: refusal.message,
    about: { ...refusal.detail },
  };
}
