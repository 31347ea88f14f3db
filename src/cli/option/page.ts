import { Option } from "commander";
import { InputError } from "../../unit/quantity.ts";
import { quantity } from "./quantity.ts";

const LIMIT_MAX = 200;

export interface PageInput {
  readonly limit?: number;
  readonly cursor?: string;
}

/** For lists that may be long. */
export function pageOptions(): Option[] {
  return [
    quantity("--limit <count>", `at most so many; 50 by default, ${LIMIT_MAX} at most`, readLimit),
    new Option("--cursor <id>", "go on behind the last of the page before"),
  ];
}

export function pageQuery({ limit, cursor }: PageInput) {
  return { ...(limit ? { limit } : {}), ...(cursor ? { cursor } : {}) };
}

/** What to type for the next page, or nothing. */
export function moreText(nextCursor: string | null): string {
  return nextCursor === null ? "" : `\n\nmore: --cursor ${nextCursor}`;
}

function readLimit(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new InputError(`"${text}" is not a number from 1 to ${LIMIT_MAX}; write it like 100`);
}
