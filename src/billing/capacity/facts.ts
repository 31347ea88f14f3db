import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import type { HashedAct } from "../../enablement/capacity/act.ts";
import {
  type CapacityChain,
  listActsOfKind,
  listCapacityChains,
  listMissingActs,
} from "../../enablement/capacity/act-store.ts";
import type { CapacityCode } from "../../enablement/capacity/code.ts";
import { listCodesOfHost } from "../../enablement/capacity/code-store.ts";
import type { CapacityTariff } from "../../enablement/capacity/terms.ts";
import { readChains } from "../../meter/capacity-store.ts";
import type { HashedRecord } from "../../meter/record.ts";
import { UseMismatch } from "../../rating/capacity.ts";
import type { DrawnCode } from "../../rating/turns.ts";
import { isTimeToBill, type TimeToBillAct } from "./basis.ts";
import type { CapacityBill } from "./bill.ts";
import { listCapacityBills } from "./bill-store.ts";
import type { Whose } from "./due-store.ts";

export interface BillingFacts {
  /** The provider's times to bill, by number, with when they came. */
  readonly toBill: readonly (HashedAct & {
    readonly record: TimeToBillAct;
    readonly receivedAt: Date;
  })[];
  readonly chains: readonly CapacityChain[];
  readonly recordsOf: (chainId: string) => readonly HashedRecord[];
  readonly tariffOf: (codeId: string) => CapacityTariff;
  readonly codes: readonly DrawnCode[];
  /** Acts by which codes, in part or whole, are there for leases alone. */
  readonly holding: readonly HashedAct[];
  /** What all of the provider's tariffs are in. */
  readonly market: CapacityTariff;
  readonly earlier: readonly CapacityBill[];
  /** Acts that lack, up to the last time to bill. */
  readonly missingActs: CapacityBill["evidence"]["missingActs"];
}

const HOLDING = [
  "code-lent",
  "code-kept",
  "resource-time-reserved",
  "resource-time-freed",
] as const;

/** All that the bills of a provider for a host are made from; under the host's lock. */
export async function readFacts(tx: Kysely<DB>, whose: Whose): Promise<BillingFacts> {
  const { hostId, providerPartyId } = whose;
  const toBill = (await listActsOfKind(tx, hostId, ["time-to-bill"]))
    .filter(isTimeToBill)
    .filter(({ record }) => record.act.providerId === providerPartyId);
  const chains = (await listCapacityChains(tx, { hostId })).filter(
    (chain) => chain.providerPartyId === providerPartyId,
  );
  const records = await readChains(
    tx,
    chains.map(({ chainId }) => chainId),
  );
  const codes = await listCodesOfHost(tx, whose);
  const accepted = acceptedAt(await listActsOfKind(tx, hostId, ["code-accepted"]));
  const market = codes[0]?.code.tariff;
  if (!market) throw new Error(`${providerPartyId} has issued no code for ${hostId}`);
  const tariffOf = (codeId: string) => {
    const found = codes.find((one) => one.codeId === codeId);
    if (!found) throw new UseMismatch(`${codeId} is drawn on, and was not issued for ${hostId}`);
    return found.code.tariff;
  };
  return {
    ...{ toBill, chains, tariffOf, market },
    holding: await listActsOfKind(tx, hostId, HOLDING),
    codes: codes.map(({ code }) => drawnCode(code, accepted.get(code.jti))),
    recordsOf: (chainId) => records.get(chainId as `chain_${string}`) ?? [],
    earlier: (await listCapacityBills(tx, whose)).map(({ bill }) => bill),
    missingActs: await listMissingActs(tx, hostId, toBill.at(-1)?.record.seq ?? 0),
  };
}

/** By code, when the host said that it has it. */
export function acceptedAt(acts: readonly HashedAct[]): ReadonlyMap<string, number> {
  return new Map(
    acts.flatMap(({ record: { act, at } }) =>
      act.kind === "code-accepted" ? [[act.codeId as string, Date.parse(at)] as const] : [],
    ),
  );
}

/** What a code gives, as rating knows it. */
export function drawnCode(
  { jti, resource, resourceTime, validity }: CapacityCode,
  acceptedMs: number | undefined,
): DrawnCode {
  return {
    ...{ codeId: jti, resource, resourceTime: BigInt(resourceTime) },
    validFromMs: Date.parse(validity.start),
    validUntilMs: Date.parse(validity.end),
    acceptedMs: acceptedMs ?? null,
  };
}
