import type { Id } from "../../unit/id.ts";
import { type Connection, connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { readBeginning, resolveId, type ShortKind } from "./resolve-id.ts";

/** Connects, and finds the id that was meant. What cannot be one is refused before that. */
export async function connectFor<P extends ShortKind>(
  context: Context,
  kind: P,
  typed: string,
): Promise<Connection & { readonly id: Id<P> }> {
  readBeginning(kind, typed);
  const connection = await connect(context);
  return { ...connection, id: await resolveId(connection.client, kind, typed) };
}
