import type { HashedAct } from "../../../enablement/capacity/act.ts";
import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { CapacityBill } from "../../capacity/bill.ts";
import type { Report } from "../report.ts";
import type { Evidence } from "./evidence.ts";
import { lentTo, readKept, roomOf } from "./kept.ts";
import type { Counted } from "./use.ts";

/** What one record is charged by. */
export interface Drawn {
  readonly metered: bigint;
  readonly byCode: ReadonlyMap<string, bigint>;
  readonly overdraft: bigint;
}

export function placeOf({ chainId, seq }: { readonly chainId: string; readonly seq: number }) {
  return `record ${seq} of ${chainId}`;
}

interface Books {
  readonly evidence: Evidence;
  /** Those that the bill knew. */
  readonly acts: readonly HashedAct[];
  /** Whatever draws on the codes, as far as the bill had read it. */
  readonly known: readonly Counted["record"][];
}

/**
 * From what each record must have been drawn. Records are settled act by act, in the order of time;
 * of a code there is left what neither settled records nor others up to the act's instant took, and
 * what is neither lent to others nor reserved for them.
 */
export function drawInTurn(
  counted: readonly Counted[],
  { evidence, acts, known }: Books,
): ReadonlyMap<string, Drawn> {
  const codes = [...evidence.codes.values()].map(({ code }) => code).sort(byExpiry);
  const accepted = acceptedAt(acts);
  const kept = readKept(acts);
  const services = new Set(kept.map(({ serviceId }) => serviceId));
  const ofLeases = known.filter(({ capacity }) => capacity && services.has(capacity.serviceId));
  const billed = counted.map((one) => ({ ...one, act: firstNaming(acts, one) }));
  billed.sort((a, b) => a.act.seq - b.act.seq || beginOf(a) - beginOf(b));
  const settled = new Map<string, Drawn>();
  const taken = new Map<string, bigint>();
  let stage = -1;
  let open = new Map<string, bigint>();
  for (const { record, metered, act } of billed) {
    const until = Date.parse(act.at);
    if (act.seq !== stage) {
      stage = act.seq;
      const rest = known.filter((one) => !settled.has(placeOf(one)));
      open = sumsOf(rest.filter((one) => Date.parse(one.to.at) <= until));
    }
    const said = sumsOf([record]);
    if (Date.parse(record.to.at) <= until) {
      for (const [codeId, by] of said) open.set(codeId, (open.get(codeId) ?? 0n) - by);
    }
    const stepsOf = stepsAround(record, until, { ofLeases, settled });
    const rooms = codes.flatMap((code) => {
      if (!said.has(code.jti) && !isOpen(code, record, accepted)) return [];
      const others = (taken.get(code.jti) ?? 0n) + (open.get(code.jti) ?? 0n);
      const left = BigInt(code.resourceTime) - others;
      const room = roomOf(record, code.jti, left, { kept, until, stepsOf });
      const stated = least(said.get(code.jti) ?? 0n, room.may);
      return [{ codeId: code.jti, own: room.own, left: most(stated, room.must) }];
    });
    const drawn = takeFrom(rooms, metered);
    for (const [codeId, by] of drawn.byCode) taken.set(codeId, (taken.get(codeId) ?? 0n) + by);
    settled.set(placeOf(record), drawn);
  }
  return settled;
}

type Left = { readonly codeId: string; readonly own: bigint; readonly left: bigint };

/** From what is kept for it, code by code; then from the codes as they expire. */
function takeFrom(rooms: readonly Left[], metered: bigint): Drawn {
  const byCode = new Map<string, bigint>();
  let missing = metered;
  const all = rooms.map(({ codeId, left }) => ({ codeId, upTo: left }));
  const own = rooms.map((one) => ({ codeId: one.codeId, upTo: least(one.own, one.left) }));
  for (const { codeId, upTo } of [...own, ...all]) {
    const by = least(upTo - (byCode.get(codeId) ?? 0n), missing);
    if (by <= 0n) continue;
    byCode.set(codeId, (byCode.get(codeId) ?? 0n) + by);
    missing -= by;
  }
  return { metered, byCode, overdraft: missing };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

interface Settling {
  /** Records of services for which something was kept. */
  readonly ofLeases: Books["known"];
  readonly settled: ReadonlyMap<string, Drawn>;
}

/** What such services took of a code: others up to the act, and the record's own before it. */
function stepsAround(record: Counted["record"], until: number, { ofLeases, settled }: Settling) {
  return (serviceId: string, codeId: string) =>
    ofLeases.flatMap((one): (readonly [number, bigint])[] => {
      if (one.capacity?.serviceId !== serviceId) return [];
      const to = Date.parse(one.to.at);
      const isOwn = serviceId === record.capacity?.serviceId;
      const isBefore = isOwn
        ? one.chainId === record.chainId && one.seq < record.seq
        : settled.has(placeOf(one)) || to <= until;
      if (!isBefore) return [];
      const by = settled.get(placeOf(one))?.byCode ?? sumsOf([one]);
      return [[to, -(by.get(codeId) ?? 0n)]];
    });
}

function byExpiry(a: CapacityCode, b: CapacityCode): number {
  const later = Date.parse(a.validity.end) - Date.parse(b.validity.end);
  return later || (a.jti < b.jti ? -1 : 1);
}

function acceptedAt(acts: readonly HashedAct[]): ReadonlyMap<string, number> {
  const accepted = new Map<string, number>();
  for (const { record } of acts) {
    if (record.act.kind !== "code-accepted") continue;
    accepted.set(record.act.codeId, Date.parse(record.at));
  }
  return accepted;
}

function isOpen(
  { jti, resource, validity }: CapacityCode,
  record: Counted["record"],
  accepted: ReadonlyMap<string, number>,
): boolean {
  const at = Date.parse(record.from.at);
  const isValid = Date.parse(validity.start) <= at && at < Date.parse(validity.end);
  return resource === record.capacity?.resource && isValid && (accepted.get(jti) ?? Infinity) <= at;
}

/** The act that named a record first. */
export function firstNaming(acts: readonly HashedAct[], { meter, record }: Counted) {
  for (const { record: one } of acts) {
    const { act } = one;
    if (act.kind !== "time-to-bill" || act.period.start !== record.capacity?.period.start) continue;
    const head = act.chains.find(({ chainId }) => chainId === meter.chainId)?.seq ?? 0;
    if (head >= record.seq) return one;
  }
  throw new Error(`${placeOf(record)} is named by no act`);
}

function beginOf({ record }: Counted): number {
  return Date.parse(record.from.at);
}

function sumsOf(records: readonly Counted["record"][]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { codeId, quantity } of records.flatMap((one) => one.capacity?.debits ?? [])) {
    sums.set(codeId, (sums.get(codeId) ?? 0n) + BigInt(quantity));
  }
  return sums;
}

interface Checked extends Pick<Books, "acts"> {
  readonly drawn: ReadonlyMap<string, Drawn>;
  readonly where: string;
}

/** A record that says something else than follows is told in the bill, with what follows; no other. */
export function checkCorrected(
  bill: Pick<CapacityBill, "corrected">,
  counted: readonly Counted[],
  { drawn, acts, where }: Checked,
  report: Report,
): void {
  const kept = readKept(acts);
  const told = new Map((bill.corrected ?? []).map((one) => [placeOf(one), one]));
  for (const { record, metered } of counted) {
    const place = placeOf(record);
    const said = record.capacity;
    const right = drawn.get(place);
    const tells = told.get(place);
    told.delete(place);
    if (!said || !right) continue;
    const follows = textOf(right.byCode, right.overdraft);
    const isSame =
      BigInt(said.meteredQuantity) === metered &&
      textOf(sumsOf([record]), BigInt(said.overdraft)) === follows;
    if (tells === undefined) {
      const isMetered = BigInt(said.meteredQuantity) === metered;
      const lent = lentTo(record, kept);
      const turn = lent === undefined ? "draw-order-differs" : "draw-of-lent";
      const code = isMetered ? turn : "metered-differs";
      const ofLent =
        lent === undefined ? "" : `${lent} was lent to leases, and this is none of theirs: `;
      const message = `${ofLent}it states ${said.meteredQuantity} as metered and ${said.overdraft} as overdraft; ${metered} and ${right.overdraft} follow`;
      report.require(isSame, code, `${where}, ${place}`, message);
      continue;
    }
    const listed = new Map(tells.debits.map((one) => [one.codeId, BigInt(one.quantity)]));
    const isTold =
      BigInt(tells.meteredQuantity) === metered &&
      textOf(listed, BigInt(tells.overdraft)) === follows;
    const message = `what the bill charges of ${place} does not follow`;
    report.require(!isSame && isTold, "corrected-differs", `${where}.corrected`, message);
    const trust = "the host stated other numbers than follow; what follows is charged";
    report.add("record-corrected", `${where}, ${place}`, trust);
  }
  for (const place of told.keys()) {
    const message = `${place} is not charged here`;
    report.add("corrected-differs", `${where}.corrected`, message);
  }
}

function textOf(byCode: ReadonlyMap<string, bigint>, overdraft: bigint): string {
  const some = [...byCode].filter(([, by]) => by > 0n).map(([codeId, by]) => [codeId, `${by}`]);
  return canonicalJson([some.sort(), `${overdraft}`]);
}
