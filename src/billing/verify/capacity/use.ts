import type { HashedAct } from "../../../enablement/capacity/act.ts";
import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import type { HashedRecord } from "../../../meter/record.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { Report } from "../report.ts";
import type { Meter } from "./chains.ts";
import { type Drawn, placeOf } from "./turns.ts";

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

/** A record with what is metered of it, by all that its partition had used in its period. */
export interface Counted {
  readonly meter: Meter;
  readonly record: HashedRecord["record"];
  readonly metered: bigint;
}

interface Group {
  readonly key: string;
  readonly pieces: readonly Counted[];
}

/** The records of each partition and period, with what follows of each from their readings. */
export function countUse(shown: readonly Shown[], where: string, report: Report): readonly Group[] {
  const groups = new Map<string, Piece[]>();
  for (const { meter, records } of shown) {
    for (const { record } of records) {
      const { start, end } = record.capacity?.period ?? { start: "", end: "" };
      const by = countedBy(meter.mode, record.capacity?.threshold ?? null);
      const place = [meter.partition.id, meter.mode, meter.resource, start, end, by].join(" ");
      groups.set(place, [...(groups.get(place) ?? []), { meter, record }]);
    }
  }
  return [...groups].map(([key, pieces]) => ({ key, pieces: counted(pieces, where, report) }));
}

/** What each partition's use in a period costs, as its records were drawn. */
export function totalUse(
  groups: readonly Group[],
  drawn: ReadonlyMap<string, Drawn>,
): readonly Use[] {
  return groups.flatMap(({ key, pieces }) => {
    const first = pieces[0];
    const said = first?.record.capacity;
    return first && said ? [totalOf(key, first.meter, said, pieces, drawn)] : [];
  });
}

/** Dedicated use is compared with nothing, whatever is said of it. */
export function countedBy(
  mode: Meter["mode"],
  threshold: CapacityCode["threshold"] | null,
): string {
  return comparedBy(mode === "dedicated" ? null : threshold);
}

/** What is compared otherwise counts apart: over intervals of another length, or in all. */
export function comparedBy(threshold: CapacityCode["threshold"] | null): string {
  if (threshold === null) return "-";
  return threshold.kind === "allowance" ? "in-all" : `each-${threshold.intervalSeconds}`;
}

type Piece = { readonly meter: Meter; readonly record: HashedRecord["record"] };
type Capacity = NonNullable<HashedRecord["record"]["capacity"]>;

function counted(pieces: readonly Piece[], where: string, report: Report): readonly Counted[] {
  const threshold = pieces[0]?.record.capacity?.threshold ?? null;
  const isOne = pieces.every(
    ({ record }) => canonicalJson(record.capacity?.threshold ?? null) === canonicalJson(threshold),
  );
  const message = "the threshold changed within a billing period";
  report.require(isOne, "threshold-changed", where, message);
  let [before, used, rates] = [0n, 0n, 0n];
  return pieces.map(({ meter, record }) => {
    const piece = { meter, record };
    used += useOf(piece, threshold === null);
    rates += rateExcess(piece, threshold);
    const until = threshold?.kind === "rate" ? rates : above(used, threshold);
    const metered = until - before;
    before = until;
    return { ...piece, metered };
  });
}

/** Above an allowance from the total alone; what is dedicated is metered from the first on. */
function above(used: bigint, threshold: Capacity["threshold"]): bigint {
  if (threshold?.kind !== "allowance") return used;
  const over = used - BigInt(threshold.milliCoreNs);
  return over < 0n ? 0n : over;
}

/** Under a rate every record by itself. */
function rateExcess(piece: Piece, threshold: Capacity["threshold"]): bigint {
  if (threshold?.kind !== "rate") return 0n;
  const over = useOf(piece, false) - BigInt(threshold.cpuMilli) * BigInt(piece.record.elapsedNs);
  return over < 0n ? 0n : over;
}

function totalOf(
  key: string,
  meter: Meter,
  { threshold, period }: Capacity,
  pieces: readonly Counted[],
  drawn: ReadonlyMap<string, Drawn>,
): Use {
  const used = pieces.reduce((sum, piece) => sum + useOf(piece, threshold === null), 0n);
  const excess = pieces.reduce((sum, { metered }) => sum + metered, 0n);
  const base =
    threshold === null
      ? "dedicated-time"
      : threshold.kind === "allowance"
        ? "allowance-excess"
        : "rate-excess";
  const parts = new Map<string, bigint>();
  const put = (rule: string, codeId: string, by: bigint) => {
    const part = `${rule} ${codeId}`;
    if (by > 0n) parts.set(part, (parts.get(part) ?? 0n) + by);
  };
  for (const { meter: own, record } of pieces) {
    const late = record.capacity?.state === "unreturned";
    const { byCode, overdraft } = drawn.get(placeOf(record)) ?? NOTHING;
    for (const [codeId, quantity] of byCode) put(late ? "unreturned" : base, codeId, quantity);
    put(late ? "unreturned" : "overdraft", own.codeId, overdraft);
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

const NOTHING: Drawn = { metered: 0n, byCode: new Map(), overdraft: 0n };
