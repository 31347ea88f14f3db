import type { Client } from "../../src/api/client/client.ts";
import type { CapacityRequest, HostCard } from "../../src/enablement/capacity/card.ts";
import type { CapacityTerms } from "../../src/enablement/capacity/terms.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey, type SigningKey } from "../../src/signature/key.ts";
import { type HostId, newId, type PartyId } from "../../src/unit/id.ts";
import { capacity, enrolFakeHost, type FakeHost, GIB } from "./fake-host.ts";
import type { TestServer } from "./harness.ts";

/** What a provider sells cores for, where a test says nothing else. */
export const TERMS: CapacityTerms = {
  priceMicrosPerHour: "120000",
  overdraftPriceMicrosPerHour: "240000",
  unreturnedPriceMicrosPerHour: "360000",
  increment: "1",
  rounding: "half-even",
  validSeconds: 86_400,
  billingPeriod: { kind: "fixed", seconds: 3600, anchor: "2026-01-01T00:00:00Z" },
  threshold: { kind: "allowance" },
  reporting: { reportAfterSeconds: 3600, reportLimit: "3600000000000000", graceSeconds: 3600 },
  exhaustion: { policy: "stop-new", graceSeconds: 60, warnSeconds: 600 },
  returnMeans: ["ask", "repin", "next-boot"],
};

export interface CapacityMarket {
  readonly owner: Client;
  readonly ownerId: PartyId;
  readonly provider: Client;
  readonly providerId: PartyId;
  /** Enrolled, with two cores and 1 GiB in standby. */
  readonly host: FakeHost;
}

export async function openCapacityMarket(server: TestServer): Promise<CapacityMarket> {
  const owner = await server.party("owner", ["lender"]);
  const provider = await server.party("vendor", ["provider"]);
  await provider.client.call("setCapacityTerms", { params: { resource: "cpu" }, body: TERMS });
  const host = await enrolFakeHost(server, owner.client, "h1");
  const base = { cpuMilli: 4000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
  const standby = { cpuMilli: 2000, memoryBytes: GIB, diskBytes: 0 };
  await host.agent.call("reportCapacity", { body: { ...capacity(base), standby } });
  return {
    owner: owner.client,
    ownerId: owner.partyId as PartyId,
    provider: provider.client,
    providerId: provider.partyId as PartyId,
    host,
  };
}

/** A host without a network: its key, its card, and what it asks for as a file. */
export interface FarHost {
  readonly hostId: HostId;
  readonly key: SigningKey;
  card(change?: Partial<HostCard>, key?: SigningKey): string;
  request(change?: Partial<CapacityRequest>, key?: SigningKey): string;
}

export function farHost(name: string): FarHost {
  const hostId = newId("host");
  const key = generateKey();
  const issuedAt = "2026-11-22T10:00:00Z";
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  const card: HostCard = {
    ...{ hostId, name, issuedAt, agentJwk: { ...key.publicJwk } },
    ...{ reserve: size, base: size, standby: { ...size, cpuMilli: 2000, diskBytes: 0 } },
  };
  const request: CapacityRequest = {
    ...{ requestId: newId("request"), hostId, hostName: name, issuedAt },
    ...{ resource: "cpu", quantity: 1000, forSeconds: 3600 },
  };
  return {
    hostId,
    key,
    card: (change, by = key) => sign("sublet-host-card", { ...card, ...change }, by),
    request: (change, by = key) => sign("sublet-capacity-request", { ...request, ...change }, by),
  };
}

/** Its owner, who is to be billed for it, says so. */
export function confirmFarHost(owner: Client, { hostId, key }: FarHost) {
  const body = { key: key.publicJwk.kid };
  return owner.call("confirmHost", { params: { host: hostId }, body });
}
