import { ApiError, UnreachableError } from "../api/client/error.ts";
import { canonicalJson } from "../unit/canonical.ts";
import { listLent } from "./capacity/lend.ts";
import { type AgentContext, hasServer, type JoinedContext } from "./context.ts";

/** What each agent's server was last told to be lent; a new process tells it anew. */
const told = new WeakMap<object, string>();

/** What this host has, and which codes it lends, at each visit to the server. */
export async function reportCapacity(context: JoinedContext): Promise<void> {
  const lentCodes = listLent(context);
  try {
    const body = { ...context.capacity, lentCodes };
    await context.server.client.call("reportCapacity", { body });
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "host-has-less") throw error;
    // What was promised is served as far as it goes: each grant is checked against what is here.
    context.log.error({ code: error.code, reason: error.message }, "less is lent than is reserved");
  }
  told.set(context.db, canonicalJson(lentCodes));
}

/** At once when what is lent has changed, and again until the server has heard it. */
export async function tellLentOnce(context: AgentContext): Promise<void> {
  if (!hasServer(context) || told.get(context.db) === canonicalJson(listLent(context))) return;
  try {
    await reportCapacity(context);
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof UnreachableError)) throw error;
    context.log.warn({ err: error }, "the server is told later what is lent");
  }
}
