import { REFUSALS, type RefusalCode, type RefusalDetail } from "./table.ts";

/** A "no" with a name. Decisions return it; what runs inside a transaction throws it to roll back. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly code: RefusalCode;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly httpStatus: number;

  constructor(code: RefusalCode, message: string, detail: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    this.detail = detail;
    this.httpStatus = REFUSALS[code].httpStatus;
  }
}

/** Makes the refusal `code` with its sentence, which ends with the way out. */
export function refusal<C extends RefusalCode>(code: C, detail: RefusalDetail<C>): Refusal {
  const sentence = REFUSALS[code].sentence as (detail: RefusalDetail<C>) => string;
  return new Refusal(code, sentence(detail), detail as Record<string, unknown>);
}
