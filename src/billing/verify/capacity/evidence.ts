import { type Act, actsBatchSchema, type HashedAct } from "../../../enablement/capacity/act.ts";
import { type CapacityCode, capacityCodeSchema } from "../../../enablement/capacity/code.ts";
import { type HashedRecord, usageBatchSchema } from "../../../meter/record.ts";
import {
  importPublicKey,
  KeyError,
  type KeyRing,
  keyRing,
  type PublicJwk,
} from "../../../signature/key.ts";
import { canonicalJson, sha256Hex } from "../../../unit/canonical.ts";
import type { CapacityExport } from "../../export.ts";
import type { Report } from "../report.ts";

/** What the provider and the host have signed, each once, and held against each other. */
export interface Evidence {
  readonly codes: ReadonlyMap<string, { readonly code: CapacityCode; readonly jws: string }>;
  readonly acts: readonly HashedAct[];
  readonly records: ReadonlyMap<string, readonly HashedRecord[]>;
}

/** Of providers, by id, the keys that were got by another way than the export. */
export type TrustedProviderKeys = ReadonlyMap<string, readonly PublicJwk[]>;

export function readEvidence(
  exported: CapacityExport,
  trusted: TrustedProviderKeys,
  report: Report,
): Evidence {
  const providerRing = providerRingOf(exported, trusted, report);
  report.add(
    "host-keys-unpinned",
    "agentKeys",
    "the export brings the keys of the host's agent itself; that they are the host's rests on the server's seal",
  );
  const agentRing = ringOf(exported.agentKeys, "agentKeys", report);
  const codes = readCodes(exported, providerRing, report);
  const acts = readActs(exported, agentRing, report);
  return { codes, acts, records: readRecords(exported, agentRing, report) };
}

/** Pinned keys alone count where there are any, as with the server's. */
function providerRingOf(
  { providerId, providerKeys }: CapacityExport,
  trusted: TrustedProviderKeys,
  report: Report,
): KeyRing {
  const pinned = trusted.get(providerId);
  if (pinned !== undefined) return keyRing(pinned);
  report.add(
    "provider-keys-unpinned",
    "providerKeys",
    "the export brings the provider's keys itself; only those of a card that you got from the provider prove who signed the codes (--provider-card)",
  );
  return ringOf(providerKeys, "providerKeys", report);
}

function ringOf(jwks: readonly unknown[], where: string, report: Report): KeyRing {
  const keys = jwks.flatMap((jwk, index) => {
    try {
      return [importPublicKey(jwk)];
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      report.add("capacity-key-malformed", `${where}[${index}]`, error.message);
      return [];
    }
  });
  return keyRing(keys);
}

function readCodes(exported: CapacityExport, keys: KeyRing, report: Report) {
  const codes = new Map<string, { code: CapacityCode; jws: string }>();
  for (const [index, jws] of exported.codeJws.entries()) {
    const where = `codeJws[${index}]`;
    const signed = { jws, typ: "sublet-capacity-code", keys, schema: capacityCodeSchema } as const;
    const code = report.open("code", where, signed);
    if (code === null) continue;
    const isOurs =
      code.iss === exported.providerId &&
      code.aud === exported.hostId &&
      code.customer.id === exported.customerId;
    const message = "the code is of another provider, host or customer";
    report.require(isOurs, "code-other-parties", where, message);
    report.require(!codes.has(code.jti), "code-repeated", where, "the code is there twice");
    codes.set(code.jti, { code, jws });
  }
  return codes;
}

function readActs(exported: CapacityExport, keys: KeyRing, report: Report): readonly HashedAct[] {
  const bySeq = new Map<number, HashedAct>();
  for (const [index, jws] of exported.acts.entries()) {
    const where = `acts[${index}]`;
    const signed = { jws, typ: "sublet-acts", keys, schema: actsBatchSchema } as const;
    const batch = report.open("acts", where, signed);
    if (batch === null) continue;
    const isOurs = batch.hostId === exported.hostId;
    report.require(isOurs, "acts-other-host", where, "the acts are another host's");
    for (const hashed of batch.acts) {
      const place = `act ${hashed.record.seq}`;
      const known = bySeq.get(hashed.record.seq);
      const isSame = known === undefined || canonicalJson(known) === canonicalJson(hashed);
      report.require(isSame, "act-repeated-differently", place, "it is there in two versions");
      const own = sha256Hex(canonicalJson(hashed.record));
      report.require(own === hashed.hash, "act-bad-hash", place, "it has another hash");
      const isHost = hashed.record.hostId === exported.hostId;
      report.require(isHost, "act-other-host", place, "it names another host");
      bySeq.set(hashed.record.seq, known ?? hashed);
    }
    const last = bySeq.get(batch.head.seq);
    const isHead = last === undefined || last.hash === batch.head.hash;
    report.require(isHead, "acts-head-differs", where, "its head is not the act of that number");
  }
  const acts = [...bySeq.values()].sort((a, b) => a.record.seq - b.record.seq);
  let before: Act | null = null;
  let hash = sha256Hex(exported.hostId);
  for (const one of acts) {
    const { record } = one;
    const place = `act ${record.seq}`;
    if (record.seq === (before?.seq ?? 0) + 1) {
      const isLinked = record.previousHash === hash;
      report.require(isLinked, "act-broken-link", place, "it does not name the act before it");
    }
    const isLater = before === null || BigInt(record.runNs) >= BigInt(before.runNs);
    report.require(isLater, "act-clock-backwards", place, "it states less run time than before");
    before = record;
    hash = one.hash;
  }
  return acts;
}

function readRecords(exported: CapacityExport, keys: KeyRing, report: Report) {
  const chains = new Map<string, Map<number, HashedRecord>>();
  for (const [index, jws] of exported.usageBatches.entries()) {
    const where = `usageBatches[${index}]`;
    const signed = { jws, typ: "sublet-usage", keys, schema: usageBatchSchema } as const;
    const batch = report.open("batch", where, signed);
    if (batch === null) continue;
    const isOurs = batch.hostId === exported.hostId;
    report.require(isOurs, "batch-other-host", where, "the batch is another host's");
    for (const hashed of batch.records) {
      const { record } = hashed;
      const place = `record ${record.seq} of ${batch.chainId}`;
      const isChain = record.chainId === batch.chainId;
      report.require(isChain, "record-other-chain", place, "it belongs to another chain");
      const chain = chains.get(batch.chainId) ?? new Map<number, HashedRecord>();
      chains.set(batch.chainId, chain);
      const known = chain.get(record.seq);
      const isSame = known === undefined || canonicalJson(known) === canonicalJson(hashed);
      const message = "the host signed two records of this number that say different things";
      report.require(isSame, "record-repeated-differently", place, message);
      chain.set(record.seq, known ?? hashed);
    }
  }
  return new Map(
    [...chains].map(([chainId, bySeq]) => [
      chainId,
      [...bySeq.values()].sort((a, b) => a.record.seq - b.record.seq),
    ]),
  );
}
