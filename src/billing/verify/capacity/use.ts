import type { HashedAct } from "../../../enablement/capacity/act.ts";
import type { ThresholdRule } from "../../../enablement/capacity/terms.ts";
import type { HashedRecord } from "../../../meter/record.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { Report } from "../report.ts";
import type { Meter } from "./chains.ts";
import type { Evidence } from "./evidence.ts";

/** What a bill must charge for one partition and period: recomputed from the period's totals. */
export interface Use {
  readonly key: string;
  readonly meter: Meter;
  readonly period: { readonly start: string; readonly end: string };
  readonly threshold: unknown;
  readonly used: bigint;
  readonly excess: bigint | null;
  /** By rule and code. */
  readonly parts: ReadonlyMap<string, bigint>;
  readonly base: string;
  readonly ranges: unknown;
  readonly chainIds: ReadonlySet<string>;
}

export interface Shown {
  readonly meter: Meter;
  readonly records: readonly HashedRecord[];
}

/** Of every meter what the times to bill among these acts have named, each for its own period. */
export function shownUpTo(
  acts: readonly HashedAct[],
  meters: readonly Meter[],
  providerId: string,
): { readonly shown: readonly Shown[]; readonly named: ReadonlyMap<string, number> } {
  const perPeriod = new Map<string, number>();
  const named = new Map<string, number>();
  for (const { record } of acts) {
    const { act } = record;
    if (act.kind !== "time-to-bill" || act.providerId !== providerId) continue;
    for (const chain of act.chains) {
      const key = `${chain.chainId} ${act.period.start}`;
      perPeriod.set(key, Math.max(chain.seq, perPeriod.get(key) ?? 0));
      named.set(chain.chainId, Math.max(chain.seq, named.get(chain.chainId) ?? 0));
    }
  }
  const cut = new Set<string>();
  const shown = meters.map((meter) => {
    const place = [meter.partition.id, meter.mode, meter.resource].join(" ");
    const isCut = cut.has(place);
    if (meter.records.length < (named.get(meter.chainId) ?? 0)) cut.add(place);
    const records = meter.records.filter(({ record }) => {
      const last = perPeriod.get(`${meter.chainId} ${record.capacity?.period.start}`) ?? 0;
      return record.seq <= last;
    });
    return { meter, records: isCut ? [] : records };
  });
  return { shown, named };
}

/** Holds the records of each partition and period against their total, and says what it costs. */
export function totalUse(shown: readonly Shown[], where: string, report: Report): readonly Use[] {
  const groups = new Map<string, { meter: Meter; record: HashedRecord["record"] }[]>();
  for (const { meter, records } of shown) {
    for (const { record } of records) {
      const { start, end } = record.capacity?.period ?? { start: "", end: "" };
      const by = countedBy(meter.mode, record.capacity?.threshold ?? null);
      const place = [meter.partition.id, meter.mode, meter.resource, start, end, by].join(" ");
      groups.set(place, [...(groups.get(place) ?? []), { meter, record }]);
    }
  }
  return [...groups].flatMap(([key, pieces]) => {
    const first = pieces[0];
    const said = first?.record.capacity;
    return first && said ? [totalOf(key, first.meter, said, pieces, where, report)] : [];
  });
}

/** Dedicated use is compared with nothing, whatever is said of it. */
export function countedBy(mode: Meter["mode"], threshold: ThresholdRule | null): string {
  return comparedBy(mode === "dedicated" ? null : threshold);
}

/** What is compared otherwise counts apart: over intervals of another length, or in all. */
export function comparedBy(threshold: ThresholdRule | null): string {
  if (threshold === null) return "-";
  return threshold.kind === "allowance" ? "in-all" : `each-${threshold.intervalSeconds}`;
}

type Piece = { readonly meter: Meter; readonly record: HashedRecord["record"] };
type Capacity = NonNullable<HashedRecord["record"]["capacity"]>;

function totalOf(
  key: string,
  meter: Meter,
  { threshold, period }: Capacity,
  pieces: readonly Piece[],
  where: string,
  report: Report,
): Use {
  const isOne = pieces.every(
    ({ record }) => canonicalJson(record.capacity?.threshold) === canonicalJson(threshold),
  );
  const message = "the threshold changed within a billing period";
  report.require(isOne, "threshold-changed", where, message);
  const used = pieces.reduce((sum, piece) => sum + useOf(piece, threshold === null), 0n);
  const excess = excessOf(pieces, threshold, used);
  const stated = pieces.reduce(
    (sum, p) => sum + BigInt(p.record.capacity?.meteredQuantity ?? 0),
    0n,
  );
  report.require(
    stated === excess,
    "metered-differs",
    `${where}, ${meter.partition.name} from ${period.start}`,
    `the records state ${stated} as metered, and ${excess} follows from their readings`,
  );
  const base =
    threshold === null
      ? "dedicated-time"
      : threshold.kind === "allowance"
        ? "allowance-excess"
        : "rate-excess";
  const parts = new Map<string, bigint>();
  const put = (rule: string, codeId: string, by: string) => {
    if (by !== "0")
      parts.set(`${rule} ${codeId}`, (parts.get(`${rule} ${codeId}`) ?? 0n) + BigInt(by));
  };
  for (const { meter: own, record } of pieces) {
    const late = record.capacity?.state === "unreturned";
    for (const { codeId, quantity } of record.capacity?.debits ?? []) {
      put(late ? "unreturned" : base, codeId, quantity);
    }
    put(late ? "unreturned" : "overdraft", own.codeId, record.capacity?.overdraft ?? "0");
  }
  if (![...parts.keys()].some((part) => part.startsWith(base))) {
    parts.set(`${base} ${meter.codeId}`, 0n);
  }
  const chainIds = new Set(pieces.map((piece) => piece.meter.chainId));
  const ranges = [...chainIds].map((chainId) => {
    const seqs = pieces.filter((p) => p.meter.chainId === chainId).map((p) => p.record.seq);
    return { chainId, fromSeq: Math.min(...seqs), toSeq: Math.max(...seqs) };
  });
  const isFree = threshold === null;
  return {
    ...{ key, meter, period, threshold, used, parts, base, ranges, chainIds },
    excess: isFree ? null : excess,
  };
}

function useOf({ meter, record }: Piece, isDedicated: boolean): bigint {
  if (!isDedicated) return BigInt(record.cpuNs) * 1000n;
  return BigInt(meter.quantity) * BigInt(record.deliveredNs);
}

/** Under an allowance from the total alone; under a rate record by record. */
function excessOf(pieces: readonly Piece[], threshold: Capacity["threshold"], used: bigint) {
  if (threshold === null) return used;
  const over = (quantity: bigint) => (quantity < 0n ? 0n : quantity);
  if (threshold.kind === "allowance") return over(used - BigInt(threshold.milliCoreNs));
  return pieces.reduce((sum, { record }) => {
    const free = BigInt(threshold.cpuMilli) * BigInt(record.elapsedNs);
    return sum + over(BigInt(record.cpuNs) * 1000n - free);
  }, 0n);
}

/** No code gives more than it had, none before or after its time, and none out of turn. */
export function checkDraws(
  evidence: Evidence,
  meters: readonly Meter[],
  isWhole: boolean,
  report: Report,
): void {
  const drawn = new Map<string, bigint>();
  const pieces = meters.flatMap((meter) => meter.records.map(({ record }) => ({ meter, record })));
  for (const { record, meter } of pieces) {
    for (const { codeId, quantity } of record.capacity?.debits ?? []) {
      drawn.set(codeId, (drawn.get(codeId) ?? 0n) + BigInt(quantity));
      const code = evidence.codes.get(codeId)?.code;
      const where = `record ${record.seq} of ${meter.chainId}`;
      const at = Date.parse(record.from.at);
      const isValid =
        code !== undefined &&
        code.resource === meter.resource &&
        Date.parse(code.validity.start) <= at &&
        at < Date.parse(code.validity.end);
      report.require(isValid, "draw-not-valid", where, `${codeId} was not there to be drawn on`);
    }
  }
  for (const [codeId, quantity] of drawn) {
    const had = BigInt(evidence.codes.get(codeId)?.code.resourceTime ?? 0);
    report.require(quantity <= had, "code-overdrawn", codeId, `${quantity} was drawn of ${had}`);
  }
  if (isWhole) checkTurns(evidence, pieces, drawn, report);
}

function checkTurns(
  { acts, codes }: Evidence,
  pieces: readonly Piece[],
  drawn: ReadonlyMap<string, bigint>,
  report: Report,
): void {
  const accepted = new Map<string, number>();
  for (const { record } of acts) {
    if (record.act.kind === "code-accepted") {
      accepted.set(record.act.codeId, Date.parse(record.at));
    }
  }
  for (const { meter, record } of pieces) {
    const at = Date.parse(record.from.at);
    const capacity = record.capacity;
    if (!capacity) continue;
    const ends = capacity.debits.map(({ codeId }) =>
      Date.parse(codes.get(codeId)?.code.validity.end ?? ""),
    );
    const latest = capacity.overdraft === "0" ? Math.max(...ends) : Infinity;
    const skipped = [...codes.values()].find(
      ({ code }) =>
        code.resource === meter.resource &&
        (accepted.get(code.jti) ?? Infinity) <= at &&
        Date.parse(code.validity.start) <= at &&
        at < Date.parse(code.validity.end) &&
        Date.parse(code.validity.end) < latest &&
        (drawn.get(code.jti) ?? 0n) < BigInt(code.resourceTime),
    );
    const message = `${skipped?.code.jti} had resource-time left and expires before what it drew on`;
    const where = `record ${record.seq} of ${meter.chainId}`;
    report.require(skipped === undefined, "draw-order-differs", where, message);
  }
}
