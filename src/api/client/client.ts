import {
  type Contract,
  contract,
  type OperationName,
  type Params,
  type Response,
  type SentBody,
  type SentQuery,
} from "../contract/contract.ts";
import type { Operation } from "../contract/operation.ts";
import { ApiError, UnreachableError } from "./error.ts";

type Without<T, K extends string> = T extends undefined
  ? { [P in K]?: undefined }
  : { [P in K]: T };
/** What an operation needs: `params`, `query` and `body`, each only where it has one. */
export type CallInput<N extends OperationName> = Without<Params<N>, "params"> &
  Without<SentQuery<N>, "query"> &
  Without<SentBody<N>, "body">;
type CallArguments<N extends OperationName> =
  Record<never, never> extends CallInput<N> ? [input?: CallInput<N>] : [input: CallInput<N>];

export interface Client {
  readonly url: string;
  /** Calls an operation of the contract; throws ApiError for a refusal, UnreachableError for silence. */
  call<N extends OperationName>(name: N, ...input: CallArguments<N>): Promise<Response<N>>;
  /** Who asks, for what is opened beside HTTP: a WebSocket. */
  headers(): Promise<Record<string, string>>;
  /** A request outside the contract (blobs, streams), with the same authentication and errors. */
  fetch(path: string, init?: RequestInit): Promise<globalThis.Response>;
}

export interface ClientOptions {
  readonly url: string;
  /** Asked for before each request: a key for people's programs, a fresh token for agents. */
  readonly authorization?: () => string | Promise<string>;
  readonly timeoutMs?: number;
}

/** One slow answer must not hang a command for ever; streams set their own signal. */
const TIMEOUT_MS = 30_000;

/** Each as what they have in common: their exact types are the caller's. */
const OPERATIONS: Readonly<Record<OperationName, Operation>> = contract;

export function createClient(options: ClientOptions): Client {
  const base = options.url.replace(/\/+$/, "");
  const request = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    if (options.authorization)
      headers.set("authorization", `Bearer ${await options.authorization()}`);
    let answer: globalThis.Response;
    try {
      answer = await fetch(base + path, {
        ...init,
        headers,
        redirect: "error",
        signal: init.signal ?? AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
      });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new UnreachableError(base, cause);
    }
    if (!answer.ok) throw await ApiError.from(answer);
    return answer;
  };
  return {
    url: base,
    fetch: request,
    headers: async () =>
      options.authorization ? { authorization: `Bearer ${await options.authorization()}` } : {},
    async call(name, ...[input]) {
      const op = OPERATIONS[name];
      const given = ((input as unknown) ?? {}) as {
        params?: object;
        query?: object;
        body?: unknown;
      };
      const answer = await request(pathOf(op, given), {
        method: op.method,
        ...(given.body === undefined
          ? {}
          : { body: JSON.stringify(given.body), headers: { "content-type": "application/json" } }),
      });
      const parsed = op.response.safeParse(await answer.json());
      if (!parsed.success) {
        throw new UnreachableError(
          base,
          new Error(`${name}: ${parsed.error.message}`),
          "answered in a way this version does not know",
        );
      }
      return parsed.data as never;
    },
  };
}

function pathOf(op: Operation, given: { params?: object; query?: object }): string {
  const params = (given.params ?? {}) as Record<string, string>;
  const path = op.path.replace(/:([A-Za-z]+)/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(given.query ?? {})) {
    if (value !== undefined) query.set(key, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

export type { Contract };
