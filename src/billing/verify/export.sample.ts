import type { Grant } from "../../enablement/grant.ts";
import { chainOrigin, hashRecord } from "../../meter/chain.ts";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../../meter/metered.sample.ts";
import type { Reading } from "../../meter/reading.ts";
import type { HashedRecord, UsageBatch, UsageRecord } from "../../meter/record.ts";
import type { WipeReceipt } from "../../partition/signed.ts";
import { sign } from "../../signature/envelope.ts";
import { generateKey, type SigningKey } from "../../signature/key.ts";
import type { CpuMode } from "../../unit/schema.ts";
import { SAMPLE_TARIFF, sampleBillInput } from "../bill.sample.ts";
import type { BillDocument } from "../bill.ts";
import type { LeaseExport, UsageExport } from "../export.ts";
import { makeBill } from "../make-bill.ts";
import { sealBill } from "../seal.ts";

export const SERVER_KEY: SigningKey = generateKey();
export const AGENT_KEY: SigningKey = generateKey();
export const STRANGER_KEY: SigningKey = generateKey();
export const SERVER_ID = "server-1";
const WIPED_AT = "2027-01-31T08:06:05Z";

/** For tests: an export of one lease with one bill, its parts beside each other. */
export interface FlatExport extends Omit<LeaseExport, "bills"> {
  readonly bill: BillDocument;
  readonly billJws: string;
  readonly serverKeys: UsageExport["serverKeys"];
}

/** For tests: where an honest export is bent, from the first thing signed to the last. */
export interface Bend {
  readonly readings?: readonly Reading[];
  readonly cpuMode?: CpuMode;
  readonly grant?: (grant: Grant) => Grant;
  readonly grantKey?: SigningKey;
  readonly extensions?: (first: Grant) => readonly Grant[];
  /** Bent before hashing: links and hashes are made to fit, and the bill is made from these. */
  readonly records?: (records: readonly UsageRecord[]) => readonly UsageRecord[];
  /** Bent after the bill was made, as they go into the batches. */
  readonly hashed?: (records: readonly HashedRecord[]) => readonly HashedRecord[];
  readonly batches?: (batches: readonly UsageBatch[]) => readonly UsageBatch[];
  readonly batchKey?: SigningKey;
  readonly wipeReceipt?: (receipt: WipeReceipt) => WipeReceipt;
  readonly wipeKey?: SigningKey;
  readonly grantedNs?: bigint;
  readonly wipedAt?: null;
  /** Bent before sealing. */
  readonly bill?: (bill: BillDocument) => BillDocument;
  readonly sealIss?: string;
  readonly sealKey?: SigningKey;
  readonly exported?: (exported: FlatExport) => object;
}

const HONEST_READINGS = Array.from({ length: 37 }, (_, index) =>
  sampleReading(index * 10, { answered: index !== 20 }),
);

export function sampleExport(bend: Bend = {}): unknown {
  const terms = { ...SAMPLE_TERMS, cpuMode: bend.cpuMode ?? SAMPLE_TERMS.cpuMode };
  const honestFirst = honestGrant(terms.cpuMode);
  const first = bend.grant?.(honestFirst) ?? honestFirst;
  const signGrant = (grant: Grant) => sign("sublet-grant", grant, bend.grantKey ?? SERVER_KEY);
  const grantJws = signGrant(first);
  const honest = sampleRecords(grantJws, bend.readings ?? HONEST_READINGS, terms);
  const metered = bend.records
    ? relink(bend.records(honest.map(({ record }) => record)), chainOrigin(grantJws))
    : honest;

  const made = makeBill({
    ...sampleBillInput(metered),
    cpuMode: terms.cpuMode,
    grantedNs: bend.grantedNs ?? sampleBillInput([]).grantedNs,
    grantedFrom: first.period.start,
    period: { start: first.period.start, end: null },
    wipedAt: bend.wipedAt === undefined ? WIPED_AT : null,
  });
  const bill = bend.bill?.(made) ?? made;

  const shown = bend.hashed?.(metered) ?? metered;
  const split = batchesOf(shown);
  const batches = bend.batches?.(split) ?? split;
  const wiped = wipeReceiptFor(first, metered, grantJws);
  const exported: FlatExport = {
    leaseId: SAMPLE_TERMS.chainId,
    events: [],
    extensionGrantJws: [],
    bill,
    billJws: sealBill(bill, bend.sealIss ?? SERVER_ID, bend.sealKey ?? SERVER_KEY),
    grantJws,
    wipeReceiptJws: sign(
      "sublet-wipe-receipt",
      bend.wipeReceipt?.(wiped) ?? wiped,
      bend.wipeKey ?? AGENT_KEY,
    ),
    usageBatches: batches.map((batch) => sign("sublet-usage", batch, bend.batchKey ?? AGENT_KEY)),
    serverKeys: [SERVER_KEY.publicJwk],
    agentKey: AGENT_KEY.publicJwk,
  };
  const extensions = bend.extensions?.(first);
  const whole = extensions
    ? { ...exported, extensionGrantJws: extensions.map(signGrant) }
    : exported;
  return nested(bend.exported?.(whole) ?? whole);
}

/** Members that do not belong go on with the lease. */
function nested(flat: object): object {
  const { bill, billJws, serverKeys, ...lease } = flat as FlatExport;
  return exportOf([{ ...lease, bills: [{ bill, billJws }] }], serverKeys);
}

export function exportOf(
  leases: readonly object[],
  serverKeys: UsageExport["serverKeys"] = [SERVER_KEY.publicJwk],
): object {
  const exportedAt = "2027-03-15T12:00:00Z";
  return {
    format: "sublet-export",
    version: 2,
    serverId: SERVER_ID,
    exportedAt,
    serverKeys,
    leases,
  };
}

/** Hashes and links made to fit, as a forger who holds the host's key would. */
export function relink(records: readonly UsageRecord[], origin: string): readonly HashedRecord[] {
  let previousHash = origin;
  return records.map((changed) => {
    const record = { ...changed, previousHash };
    previousHash = hashRecord(record);
    return { record, hash: previousHash };
  });
}

/** That the lender declared the sample's host dead. */
export function removalJws(change: object = {}, key = SERVER_KEY): string {
  const { lender, partition } = sampleBillInput([]);
  const removal = {
    iss: SERVER_ID,
    leaseId: SAMPLE_TERMS.chainId,
    hostId: SAMPLE_TERMS.hostId,
    partitionId: partition.id,
    declaredBy: lender.id,
    removedAt: "2027-01-31T09:00:00Z",
  };
  return sign("sublet-host-removal", { ...removal, ...change }, key);
}

export function honestGrant(cpuMode: CpuMode): Grant {
  const { partition } = sampleBillInput([]);
  return {
    jti: "grant-0001",
    iss: SERVER_ID,
    aud: SAMPLE_TERMS.hostId,
    issuedAt: "2027-01-31T07:59:58Z",
    leaseId: SAMPLE_TERMS.chainId,
    sequence: 1,
    partition: {
      partitionId: partition.id,
      name: partition.name,
      cpuMode,
      size: SAMPLE_TERMS.size,
    },
    period: { start: "2027-01-31T08:00:00Z", end: "2027-01-31T10:00:00Z" },
    image: {
      imageId: "image_01k0000000000000000000",
      digest: `sha256:${"0".repeat(64)}`,
      manifest: {
        name: "debian",
        version: "13",
        architecture: "x86_64",
        boot: { kind: "kernel", kernelArguments: "console=ttyS0" },
        user: "debian",
        memoryBytesMin: 2 ** 28,
        parts: [{ role: "kernel", digest: `sha256:${"1".repeat(64)}`, sizeBytes: 8_000_000 }],
      },
    },
    clientKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA client",
    tariff: SAMPLE_TARIFF,
    agentKeyThumbprint: AGENT_KEY.kid,
  };
}

export function batchesOf(records: readonly HashedRecord[]): readonly UsageBatch[] {
  const { hostId, chainId } = SAMPLE_TERMS;
  const half = Math.ceil(records.length / 2);
  return [records.slice(0, half), records.slice(half)]
    .filter((part) => part.length > 0)
    .map((part, index) => ({
      batchId: `batch_01k000000000000000000${index}`,
      hostId,
      chainId,
      records: [...part],
    }));
}

export function wipeReceiptFor(
  grant: Grant,
  records: readonly HashedRecord[],
  grantJws: string,
): WipeReceipt {
  const last = records.at(-1);
  return {
    leaseId: SAMPLE_TERMS.chainId,
    hostId: SAMPLE_TERMS.hostId,
    partitionId: SAMPLE_TERMS.partitionId,
    grantJti: grant.jti,
    wipedAt: WIPED_AT,
    files: 3,
    bytes: 1_000_000,
    finalSeq: last?.record.seq ?? 0,
    finalHash: last?.hash ?? chainOrigin(grantJws),
    reason: "ended",
  };
}
