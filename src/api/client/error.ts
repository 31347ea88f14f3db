import { z } from "zod";
import type { Problem } from "../../refusal/problem.ts";

export const problemSchema: z.ZodType<Problem> = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  about: z.record(z.string(), z.unknown()).optional(),
});

/** The server said no. `message` tells the way out. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly code: string;
  readonly httpStatus: number;
  readonly about: Readonly<Record<string, unknown>>;

  constructor(problem: Pick<Problem, "code" | "detail" | "status" | "about">) {
    super(problem.detail);
    this.code = problem.code;
    this.httpStatus = problem.status;
    this.about = problem.about ?? {};
  }

  static async from(answer: Response): Promise<ApiError> {
    const text = await answer.text();
    const parsed = problemSchema.safeParse(parseJson(text));
    if (parsed.success) return new ApiError(parsed.data);
    return new ApiError({
      code: "not-a-sublet-server",
      status: answer.status,
      detail: `${answer.url} answered ${answer.status} and not as a Sublet server does; check the address`,
    });
  }
}

/** Nobody answered, or not in a way that could be read. The request may or may not have been done. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
  readonly code = "server-unreachable";
  constructor(url: string, cause: unknown, what = "does not answer") {
    super(
      `the server at ${url} ${what}; check that it runs and the address is right (${reason(cause)})`,
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
