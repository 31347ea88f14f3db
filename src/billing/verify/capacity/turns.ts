import type { HashedAct } from "../../../enablement/capacity/act.ts";
import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { CapacityBill } from "../../capacity/bill.ts";
import type { Report } from "../report.ts";
import type { Evidence } from "./evidence.ts";
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
 * of a code there is left what neither settled records nor others up to the act's instant took.
 */
export function drawInTurn(
  counted: readonly Counted[],
  { evidence, acts, known }: Books,
): ReadonlyMap<string, Drawn> {
  const codes = [...evidence.codes.values()].map(({ code }) => code).sort(byExpiry);
  const accepted = acceptedAt(acts);
  const billed = counted.map((one) => ({ ...one, act: firstNaming(acts, one) }));
  billed.sort((a, b) => a.act.seq - b.act.seq || beginOf(a) - beginOf(b));
  const settled = new Map<string, Drawn>();
  const taken = new Map<string, bigint>();
  let stage = -1;
  let open = new Map<string, bigint>();
  for (const { record, metered, act } of billed) {
    if (act.seq !== stage) {
      stage = act.seq;
      const until = Date.parse(act.at);
      const rest = known.filter((one) => !settled.has(placeOf(one)));
      open = sumsOf(rest.filter((one) => Date.parse(one.to.at) <= until));
    }
    const own = sumsOf([record]);
    if (Date.parse(record.to.at) <= Date.parse(act.at)) {
      for (const [codeId, by] of own) open.set(codeId, (open.get(codeId) ?? 0n) - by);
    }
    const byCode = new Map<string, bigint>();
    let missing = metered;
    for (const code of codes) {
      const mayDraw = own.has(code.jti) || isOpen(code, record, accepted);
      if (!mayDraw) continue;
      const others = (taken.get(code.jti) ?? 0n) + (open.get(code.jti) ?? 0n);
      const left = BigInt(code.resourceTime) - others;
      const by = left > missing ? missing : left;
      if (by <= 0n) continue;
      byCode.set(code.jti, by);
      taken.set(code.jti, (taken.get(code.jti) ?? 0n) + by);
      missing -= by;
    }
    settled.set(placeOf(record), { metered, byCode, overdraft: missing });
  }
  return settled;
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

/** A record that says something else than follows is told in the bill, with what follows; no other. */
export function checkCorrected(
  bill: CapacityBill,
  counted: readonly Counted[],
  drawn: ReadonlyMap<string, Drawn>,
  where: string,
  report: Report,
): void {
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
      const code = isMetered ? "draw-order-differs" : "metered-differs";
      const message = `it states ${said.meteredQuantity} as metered and ${said.overdraft} as overdraft; ${metered} and ${right.overdraft} follow`;
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
