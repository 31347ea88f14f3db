import type { Host } from "../host/store.ts";
import type { KeyHolder } from "../party/store.ts";
import type { ServerContext } from "./context.ts";
import type { Body, OperationName, Params, Query, Response } from "./contract/contract.ts";
import type { PERMISSIONS } from "./permission.ts";

type CallerOf<N extends OperationName> = (typeof PERMISSIONS)[N] extends "anyone"
  ? undefined
  : (typeof PERMISSIONS)[N] extends "agent"
    ? Host
    : (typeof PERMISSIONS)[N] extends "known"
      ? Host | KeyHolder
      : KeyHolder;

export interface Input<N extends OperationName> {
  /** The party or host that calls, as the permission table lets in. */
  readonly caller: CallerOf<N>;
  readonly params: Params<N>;
  readonly query: Query<N>;
  readonly body: Body<N>;
  /** Where the request came from, as the network says; left out where none was in between. */
  readonly address?: string;
}

/** One operation: the whole use case, top to bottom. Throws Refusal. */
export type Handler<N extends OperationName> = (
  context: ServerContext,
  input: Input<N>,
) => Promise<Response<N>>;
