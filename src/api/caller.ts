import type { FastifyRequest } from "fastify";
import { findHostKey } from "../host/key-store.ts";
import { agentTokenSchema } from "../host/signed.ts";
import { getHost, type Host } from "../host/store.ts";
import { findPartyByKey, type KeyHolder } from "../party/store.ts";
import { Refusal, refusal } from "../refusal/refusal.ts";
import { claimedKid, verify } from "../signature/envelope.ts";
import { importPublicKey, keyRing } from "../signature/key.ts";
import { type HostId, isId } from "../unit/id.ts";
import type { ServerContext } from "./context.ts";
import type { Permission } from "./permission.ts";

export type Caller =
  | { readonly kind: "anyone" }
  | { readonly kind: "party"; readonly party: KeyHolder }
  | { readonly kind: "agent"; readonly host: Host };

type Context = Pick<ServerContext, "db" | "clock" | "serverId">;

export interface AgentAccess {
  /** An agent whose clock is wrong must be able to ask what time it is. */
  readonly staleTokenAccepted?: boolean;
  /** One that was removed may still hear what it is to wipe, and say that it has. */
  readonly removedAccepted?: boolean;
}

/** Who calls, by the bearer key or token; refuses whoever the permission does not let in. */
export async function authenticate(
  context: Context,
  request: Pick<FastifyRequest, "headers">,
  permission: Permission,
  options: AgentAccess = {},
): Promise<Caller> {
  if (permission === "anyone") return { kind: "anyone" };
  const token = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) throw refusal("not-authenticated", {});
  if (permission === "agent") {
    return { kind: "agent", host: await hostOfToken(context, token, options) };
  }
  const party = await findPartyByKey(context.db.kysely, token);
  if (!party && permission === "known") {
    return { kind: "agent", host: await hostOfToken(context, token, options) };
  }
  if (!party) throw refusal("not-authenticated", {});
  if (permission === "known") return { kind: "party", party };
  if (permission !== "party" && !permission.some((role) => party.roles.includes(role))) {
    throw refusal("not-permitted", { roles: permission });
  }
  return { kind: "party", party };
}

/** Agents make a token a minute; a longer life would only serve whoever steals one. */
const TOKEN_SECONDS_MAX = 120;
/** Agents go by the server's own time, so what remains is the way there. */
const SKEW_SECONDS = 30;

async function hostOfToken(
  context: Context,
  token: string,
  { staleTokenAccepted = false, removedAccepted = false }: AgentAccess,
): Promise<Host> {
  const host = await claimedHost(context, token);
  const jwk = host?.agentPublicJwk;
  if (!host || !jwk) throw refusal("not-authenticated", {});
  const keys = keyRing([importPublicKey(jwk)]);
  const verified = verify({
    jws: token,
    typ: "sublet-agent-token",
    keys,
    schema: agentTokenSchema,
  });
  if (!verified.ok) {
    if (await isByRetiredKey(context, host, token)) {
      throw refusal("agent-key-retired", { host: host.name });
    }
    throw refusal("not-authenticated", {});
  }
  if (verified.payload.aud !== context.serverId) {
    throw refusal("not-authenticated", {});
  }
  const { iat, exp } = verified.payload;
  const nowSeconds = context.clock.now().getTime() / 1000;
  const inTime =
    exp - iat <= TOKEN_SECONDS_MAX &&
    iat <= nowSeconds + SKEW_SECONDS &&
    nowSeconds < exp + SKEW_SECONDS;
  if (!inTime && !staleTokenAccepted) throw refusal("not-authenticated", {});
  if (host.removedAt && !removedAccepted) throw refusal("host-removed", { host: host.name });
  return host;
}

/** Its own old key is told by name, so that a person sees what to do; it opens nothing. */
async function isByRetiredKey(context: Context, host: Host, token: string): Promise<boolean> {
  const key = await findHostKey(context.db.kysely, claimedKid(token) ?? "");
  if (key?.hostId !== host.hostId) return false;
  const keys = keyRing([key.jwk]);
  return verify({ jws: token, typ: "sublet-agent-token", keys, schema: agentTokenSchema }).ok;
}

async function claimedHost(context: Context, token: string): Promise<Host | undefined> {
  const payload = parseJson(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  const iss = (payload as { iss?: unknown } | null)?.iss;
  if (typeof iss !== "string" || !isId("host", iss)) return undefined;
  try {
    return await getHost(context.db.kysely, iss as HostId);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
