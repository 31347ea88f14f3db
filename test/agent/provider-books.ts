import { listActs } from "../../src/agent/capacity/act-store.ts";
import { exportReport } from "../../src/agent/capacity/report.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { basisOf, isTimeToBill, type TimeToBillAct } from "../../src/billing/capacity/basis.ts";
import type { CapacityBill } from "../../src/billing/capacity/bill.ts";
import { acceptedAt, drawnCode } from "../../src/billing/capacity/facts.ts";
import { makeCapacityBill } from "../../src/billing/capacity/make-bill.ts";
import { sealBill } from "../../src/billing/seal.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { CapacityChain } from "../../src/enablement/capacity/act-store.ts";
import { type CapacityCode, capacityCodeSchema } from "../../src/enablement/capacity/code.ts";
import { usedBefore } from "../../src/meter/capacity-before.ts";
import { claimFault } from "../../src/meter/check-capacity.ts";
import type { HashedRecord } from "../../src/meter/record.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { newId, type PartyId } from "../../src/unit/id.ts";
import { type Provider, recordsOf } from "./capacity.ts";

const SERVER = generateKey();
export const CUSTOMER = { id: newId("party"), name: "owner" };

export interface Books {
  /** Why records were refused when they came; none were. */
  readonly faults: readonly string[];
  readonly bills: readonly CapacityBill[];
  /** What the verifier finds wrong in them. */
  readonly differs: readonly string[];
  readonly records: readonly HashedRecord[];
}

/** What a provider makes of a host's report, from its own codes and chains and nothing else. */
export function booksOf(
  agent: AgentContext,
  provider: Provider,
  codeJws: readonly string[],
): Books {
  const codes = codeJws.map((jws) => ({
    jws,
    code: capacityCodeSchema.parse(claimedPayload(jws)),
  }));
  const codeOf = (codeId: string): CapacityCode => {
    const found = codes.find(({ code }) => code.jti === codeId);
    if (!found) throw new Error(`${codeId} is none of the provider's`);
    return found.code;
  };
  const chains = chainsOf(agent, provider.providerId);
  const all = recordsOf(agent);
  const by = (chainId: string) => all.filter(({ record }) => record.chainId === chainId);
  const bills = billsOf(
    agent,
    provider.providerId,
    chains,
    by,
    codes.map(({ code }) => code),
  );
  const report = exportReport(agent, provider.providerId);
  const exported = {
    ...{ format: "sublet-export", version: 2, serverId: "server-1", leases: [] },
    ...{ exportedAt: "2027-03-01T00:00:00Z", serverKeys: [{ ...SERVER.publicJwk }] },
    capacity: [
      {
        ...{ hostId: agent.host.hostId, providerId: provider.providerId, customerId: CUSTOMER.id },
        providerKeys: [{ ...provider.key.publicJwk }],
        agentKeys: [{ ...agent.keys.current().publicJwk }],
        ...{ codeJws, acts: report.acts, usageBatches: report.usage },
        bills: bills.map((bill) => ({ bill, billJws: sealBill(bill, "server-1", SERVER) })),
      },
    ],
  };
  const { findings } = verifyBill(exported);
  const differs = findings.filter(({ severity }) => severity === "differs");
  return {
    faults: faultsOf(chains, by, codeOf),
    bills,
    differs: differs.map(({ code, message }) => `${code}: ${message}`),
    records: chains.flatMap(({ chainId }) => by(chainId)),
  };
}

function chainsOf(agent: AgentContext, providerId: PartyId): readonly CapacityChain[] {
  const acts = listActs(agent.db, 1, 100_000);
  const services = new Map(
    acts.flatMap(({ record: { act } }) =>
      act.kind === "service-begun" ? [[act.serviceId as string, act] as const] : [],
    ),
  );
  return acts.flatMap(({ record: { seq, act, hostId } }) => {
    const service = act.kind === "chain-begun" ? services.get(act.serviceId) : undefined;
    if (act.kind !== "chain-begun" || service?.providerId !== providerId) return [];
    const { chainId, serviceId, codeId, partition } = act;
    const { mode, resource, quantity } = service;
    return [
      {
        ...{ chainId, hostId, actSeq: seq, serviceId, providerPartyId: providerId, codeId },
        ...{ partitionId: partition.id, partitionName: partition.name, mode, resource, quantity },
      },
    ];
  });
}

type RecordsOf = (chainId: string) => readonly HashedRecord[];

/** As the ingest of a provider that knows its own chains alone. */
function faultsOf(
  chains: readonly CapacityChain[],
  recordsIn: RecordsOf,
  codeOf: (codeId: string) => CapacityCode,
): readonly string[] {
  const drawn = new Map<string, bigint>();
  return chains.flatMap((chain) => {
    const { chainId, partitionId, actSeq } = chain;
    const earlier = chains
      .filter((one) => one.partitionId === partitionId && one.actSeq < actSeq)
      .map((one) => recordsIn(one.chainId));
    const code = codeOf(chain.codeId);
    const terms = { ...chain, billingPeriod: code.billingPeriod, threshold: code.threshold };
    return recordsIn(chainId).flatMap(({ record }, index) => {
      const before = usedBefore(record, recordsIn(chainId).slice(0, index), earlier);
      const fault = claimFault(record, terms, before, (codeId) => {
        const { resource, validity, resourceTime } = codeOf(codeId);
        const [validFromMs, validUntilMs] = [validity.start, validity.end].map(Date.parse);
        const left = BigInt(resourceTime) - (drawn.get(codeId) ?? 0n);
        return { resource, validFromMs: validFromMs ?? 0, validUntilMs: validUntilMs ?? 0, left };
      });
      for (const { codeId, quantity } of record.capacity?.debits ?? []) {
        drawn.set(codeId, (drawn.get(codeId) ?? 0n) + BigInt(quantity));
      }
      return fault === null ? [] : [`record ${record.seq} of ${chainId}: ${fault}`];
    });
  });
}

function billsOf(
  agent: AgentContext,
  providerId: PartyId,
  chains: readonly CapacityChain[],
  recordsIn: RecordsOf,
  codes: readonly CapacityCode[],
): readonly CapacityBill[] {
  const { hostId, hostName } = agent.host;
  const toBill = listActs(agent.db, 1, 100_000)
    .filter(isTimeToBill)
    .map(({ record, hash }) => ({ record: record as TimeToBillAct, hash }))
    .filter(({ record }) => record.act.providerId === providerId);
  const holding = listActs(agent.db, 1, 100_000);
  const accepted = acceptedAt(holding);
  const bills: CapacityBill[] = [];
  for (const [index, { record, hash }] of toBill.entries()) {
    const { seq, at, act } = record;
    const acts = toBill.slice(0, index + 1).map((one) => one.record);
    const bill = makeCapacityBill({
      ...{ billId: newId("bill"), client: CUSTOMER, lender: { id: providerId, name: "vendor" } },
      ...{ host: { id: hostId, name: hostName }, act: { seq, hash, at, reason: act.reason } },
      ...{ period: act.period, currency: "EUR", minorUnitDigits: 2, earlier: [...bills] },
      ...basisOf({ acts, chains, recordsOf: recordsIn, missingActs: [] }),
      named: new Set<string>(act.chains.map(({ chainId }) => chainId)),
      tariffOf: (codeId) => tariffIn(codes, codeId),
      codes: codes.map((one) => drawnCode(one, accepted.get(one.jti))),
      holding,
      closedAt: new Date(at),
    });
    bills.push(bill);
  }
  return bills;
}

function tariffIn(codes: readonly CapacityCode[], codeId: string): CapacityCode["tariff"] {
  const found = codes.find(({ jti }) => jti === codeId);
  if (!found) throw new Error(`${codeId} is none of the provider's`);
  return found.tariff;
}
