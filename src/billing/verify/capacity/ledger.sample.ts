import { type CodeAccount, draw } from "../../../enablement/capacity/account.ts";
import {
  type Act,
  type ActDetail,
  actOrigin,
  type HashedAct,
  hashAct,
  type TimeToBill,
} from "../../../enablement/capacity/act.ts";
import { periodAt } from "../../../enablement/capacity/billing-period.ts";
import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import { sizeOf } from "../../../enablement/capacity/resource.ts";
import type { Threshold } from "../../../enablement/capacity/terms.ts";
import { chainOrigin, hashRecord } from "../../../meter/chain.ts";
import { excessAdded } from "../../../meter/excess.ts";
import type { HashedRecord, UsageRecord } from "../../../meter/record.ts";
import { sign } from "../../../signature/envelope.ts";
import type { SigningKey } from "../../../signature/key.ts";
import { sha256Hex } from "../../../unit/canonical.ts";
import { type ChainId, type HostId, newId, type PartyId } from "../../../unit/id.ts";

const NS = 1_000_000_000n;

interface Meter {
  readonly chainId: ChainId;
  readonly serviceId: `service_${string}`;
  readonly partition: { readonly id: `partition_${string}`; readonly name: string };
  readonly quantity: number;
  readonly threshold: Threshold | null;
  readonly code: CapacityCode;
  readonly codeJws: string;
  readonly records: HashedRecord[];
  /** By period, what the partition used and has metered. */
  readonly used: Map<number, bigint>;
}

/** A host that keeps acts and meters, and signs them: real hashes and signatures, no guests. */
export class Ledger {
  readonly acts: HashedAct[] = [];
  readonly accounts: CodeAccount[] = [];
  readonly meters: Meter[] = [];
  readonly hostId: HostId;
  readonly key: SigningKey;
  /** The host's clock, in milliseconds since 1970. */
  nowMs: number;
  runNs = 1n;

  constructor(hostId: HostId, key: SigningKey, nowMs: number) {
    this.hostId = hostId;
    this.key = key;
    this.nowMs = nowMs;
  }

  act(act: ActDetail): HashedAct {
    const record: Act = {
      version: 1,
      hostId: this.hostId,
      seq: this.acts.length + 1,
      previousHash: this.acts.at(-1)?.hash ?? actOrigin(this.hostId),
      at: new Date(this.nowMs).toISOString(),
      bootId: "boot",
      monotonicNs: this.runNs.toString(),
      runNs: this.runNs.toString(),
      act,
    };
    const hashed = { record, hash: hashAct(record) };
    this.acts.push(hashed);
    return hashed;
  }

  accept(code: CapacityCode, codeJws: string): void {
    this.act({ kind: "code-accepted", codeId: code.jti, codeSha256: sha256Hex(codeJws) });
    this.accounts.push({
      codeId: code.jti,
      providerId: code.iss,
      resource: code.resource,
      quantity: code.quantity,
      resourceTime: BigInt(code.resourceTime),
      debited: 0n,
      validFromMs: Date.parse(code.validity.start),
      validUntilMs: Date.parse(code.validity.end),
    });
  }

  /** A service, and a meter for each partition: one dedicated, or several with their thresholds. */
  begin(
    code: CapacityCode,
    codeJws: string,
    names: readonly (readonly [name: string, threshold: Threshold | null])[],
    quantity = code.quantity,
  ): Meter[] {
    const serviceId = newId("service");
    const partitions = names.map(([name]) => this.partition(name));
    const mode = names[0]?.[1] === null ? "dedicated" : "shared";
    this.act({
      ...{ kind: "service-begun", serviceId, providerId: code.iss, mode },
      ...{ resource: code.resource, quantity },
      partition: mode === "dedicated" ? (partitions[0] ?? null) : null,
    });
    return names.map(([, threshold], index) => {
      const partition = partitions[index] ?? this.partition("?");
      const chainId = newId("chain");
      this.act({
        ...{ kind: "chain-begun", chainId, serviceId, partition, codeId: code.jti, threshold },
        leaseId: null,
      });
      const meter: Meter = {
        ...{ chainId, serviceId, partition, quantity, threshold, code, codeJws },
        ...{ records: [], used: new Map() },
      };
      this.meters.push(meter);
      return meter;
    });
  }

  /** Of one name there is one on a host. */
  private partition(name: string): Meter["partition"] {
    const known = this.meters.find(({ partition }) => partition.name === name)?.partition;
    return known ?? { id: newId("partition"), name };
  }

  /** One more record: so many seconds from `startMs` on, with so much cpu time. */
  use(
    meter: Meter,
    startMs: number,
    seconds: number,
    { cpuSeconds = 0, isUnreturned = false, bend = (record: UsageRecord) => record } = {},
  ): HashedRecord {
    const { code, quantity, threshold, records } = meter;
    const last = records.at(-1);
    const elapsedNs = BigInt(seconds) * NS;
    const from = last?.record.to ?? {
      ...{ at: new Date(startMs).toISOString(), bootId: "boot" },
      monotonicNs: (BigInt(startMs) * 1_000_000n).toString(),
    };
    const fromMs = Date.parse(from.at);
    const { startMs: periodMs, endMs } = periodAt(code.billingPeriod, fromMs);
    const piece = { cpuNs: BigInt(cpuSeconds) * NS, elapsedNs };
    const used = meter.used.get(periodMs) ?? 0n;
    const metered =
      threshold === null ? BigInt(quantity) * elapsedNs : excessAdded(threshold, used, piece);
    meter.used.set(periodMs, used + piece.cpuNs * 1000n);
    const own = this.accounts.filter(({ providerId }) => providerId === code.iss);
    const drawn = draw(own, fromMs, metered);
    for (const { codeId, quantity: by } of drawn.debits) {
      const at = this.accounts.findIndex((one) => one.codeId === codeId);
      const one = this.accounts[at];
      if (one) this.accounts[at] = { ...one, debited: one.debited + by };
    }
    const record = bend({
      version: 1,
      chainId: meter.chainId,
      seq: records.length + 1,
      previousHash: last?.hash ?? chainOrigin(meter.codeJws),
      hostId: this.hostId,
      partitionId: meter.partition.id,
      cpuMode: threshold === null ? "dedicated" : "shared",
      size: sizeOf(code.resource, quantity),
      from,
      to: {
        at: new Date(fromMs + seconds * 1000).toISOString(),
        bootId: "boot",
        monotonicNs: (BigInt(from.monotonicNs) + elapsedNs).toString(),
      },
      elapsedNs: elapsedNs.toString(),
      deliveredNs: elapsedNs.toString(),
      cpuNs: piece.cpuNs.toString(),
      gap: false,
      final: false,
      capacity: {
        serviceId: meter.serviceId,
        mode: threshold === null ? "dedicated" : "shared",
        resource: code.resource,
        period: {
          start: new Date(periodMs).toISOString(),
          end: new Date(endMs).toISOString(),
        },
        state: isUnreturned ? "unreturned" : "in-service",
        threshold,
        meteredQuantity: metered.toString(),
        debits: drawn.debits.map((one) => ({ ...one, quantity: one.quantity.toString() })),
        overdraft: drawn.overdraft.toString(),
      },
    });
    const hashed = { record, hash: hashRecord(record) };
    records.push(hashed);
    this.nowMs = Math.max(this.nowMs, Date.parse(record.to.at));
    this.runNs += elapsedNs;
    return hashed;
  }

  /** Says that it is time to bill the period of an instant: all meters of the provider. */
  timeToBill(providerId: PartyId, atMs: number, reason: TimeToBill = "period-end") {
    const meters = this.meters.filter(({ code }) => code.iss === providerId);
    const [meter] = meters;
    if (!meter) throw new Error("nothing is metered");
    const { startMs, endMs } = periodAt(meter.code.billingPeriod, atMs);
    const start = new Date(startMs).toISOString();
    const chains = meters.flatMap(({ chainId, records }) => {
      const own = records.filter(({ record }) => record.capacity?.period.start === start);
      const seq = own.at(-1)?.record.seq;
      return seq === undefined ? [] : [{ chainId, seq }];
    });
    const period = { start, end: new Date(endMs).toISOString() };
    return this.act({ kind: "time-to-bill", reason, period, providerId, chains });
  }

  signActs(acts: readonly HashedAct[] = this.acts, head = this.head()): string {
    const batch = { batchId: newId("batch"), hostId: this.hostId, acts, head };
    return sign("sublet-acts", batch, this.key);
  }

  head() {
    const last = this.acts.at(-1);
    return {
      seq: last?.record.seq ?? 0,
      hash: last?.hash ?? actOrigin(this.hostId),
      at: new Date(this.nowMs).toISOString(),
      runNs: this.runNs.toString(),
    };
  }

  signUsage(meter: Meter, records: readonly HashedRecord[] = meter.records): string {
    const { hostId } = this;
    const batch = { batchId: newId("batch"), hostId, chainId: meter.chainId, records };
    return sign("sublet-usage", batch, this.key);
  }
}
