import type { z } from "zod";
import type { StoredCode } from "../../enablement/capacity/code-store.ts";
import type { StoredRequest } from "../../enablement/capacity/request-store.ts";
import { type Host, mapHosts } from "../../host/store.ts";
import { mapParties } from "../../party/store.ts";
import type { ServerContext } from "../context.ts";
import type {
  capacityCodeView,
  capacityHostView,
  capacityRequestView,
} from "../contract/capacity.ts";

type Db = ServerContext["db"]["kysely"];
type RequestView = z.infer<typeof capacityRequestView>;
type CodeView = z.infer<typeof capacityCodeView>;

export async function viewRequests(
  db: Db,
  requests: readonly StoredRequest[],
): Promise<RequestView[]> {
  const hosts = await mapHosts(db, [...new Set(requests.map(({ hostId }) => hostId))]);
  const parties = await mapParties(db);
  return requests.map((request) => {
    const host = hosts.get(request.hostId);
    if (!host) throw new Error(`${request.requestId} is for no host`);
    const name = (id: Host["lenderPartyId"]) => ({ id, name: parties.get(id)?.name ?? "" });
    return {
      requestId: request.requestId,
      host: { id: host.hostId, name: host.name },
      customer: name(host.lenderPartyId),
      provider: name(request.providerPartyId),
      resource: request.resource,
      quantity: request.quantity,
      forSeconds: request.forSeconds,
      state: request.state,
      createdAt: request.createdAt.toISOString(),
    };
  });
}

export async function viewCodes(db: Db, codes: readonly StoredCode[]): Promise<CodeView[]> {
  const hosts = await mapHosts(db, [...new Set(codes.map(({ hostId }) => hostId))]);
  return codes.map((stored) => {
    const { code } = stored;
    return {
      codeId: code.jti,
      provider: { id: code.iss, name: code.providerName },
      host: { id: code.aud, name: hosts.get(stored.hostId)?.name ?? "" },
      customer: code.customer,
      sequence: code.sequence,
      resource: code.resource,
      quantity: code.quantity,
      resourceTime: code.resourceTime,
      validity: code.validity,
      issuedAt: code.issuedAt,
      claimExpiresAt: stored.claimExpiresAt?.toISOString() ?? null,
      claimedAt: stored.claimedAt?.toISOString() ?? null,
      codeJws: stored.jws,
    };
  });
}

export function viewCapacityHost(
  host: Host,
  customerName: string,
): z.infer<typeof capacityHostView> {
  return {
    hostId: host.hostId,
    name: host.name,
    customer: { id: host.lenderPartyId, name: customerName },
    key: host.agentPublicJwk?.kid ?? null,
    reached: host.isRegistered ? "registered" : "enrolled",
    confirmedAt: host.confirmedAt?.toISOString() ?? null,
    base: host.base,
    standby: host.standby,
  };
}
