import type { Report } from "../report.ts";
import type { Meter } from "./chains.ts";
import type { Evidence } from "./evidence.ts";

type Piece = { readonly meter: Meter; readonly record: Meter["records"][number]["record"] };

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

/** For how long a code was, in part or whole, not its owner's to draw on. */
interface Kept {
  readonly codeId: string;
  /** Of a reservation; null: it was lent. */
  readonly serviceId: string | null;
  readonly from: number;
  until: number;
}

function readKept(acts: Evidence["acts"]): readonly Kept[] {
  const kept: Kept[] = [];
  const end = (at: number, isIts: (one: Kept) => boolean) => {
    for (const one of kept) if (isIts(one)) one.until = Math.min(one.until, at);
  };
  for (const { record } of acts) {
    const { act } = record;
    const from = Date.parse(record.at);
    const open = { from, until: Infinity };
    if (act.kind === "resource-time-reserved") {
      const { serviceId } = act;
      for (const { codeId } of act.codes) kept.push({ codeId, serviceId, ...open });
    }
    if (act.kind === "resource-time-freed") end(from, (one) => one.serviceId === act.serviceId);
    if (act.kind === "code-lent") kept.push({ codeId: act.codeId, serviceId: null, ...open });
    if (act.kind === "code-kept") {
      end(from, (one) => one.serviceId === null && one.codeId === act.codeId);
    }
  }
  return kept;
}

function checkTurns(
  evidence: Evidence,
  pieces: readonly Piece[],
  drawn: ReadonlyMap<string, bigint>,
  report: Report,
): void {
  const accepted = acceptedAt(evidence);
  const kept = readKept(evidence.acts);
  const forLeases = new Set(kept.map(({ serviceId }) => serviceId));
  // What has resource-time of its own does not queue for the others'.
  for (const { meter, record } of pieces.filter((one) => !forLeases.has(one.meter.serviceId))) {
    const { capacity, from, to } = record;
    if (!capacity) continue;
    const [at, until] = [Date.parse(from.at), Date.parse(to.at)];
    const ends = capacity.debits.map(({ codeId }) =>
      Date.parse(evidence.codes.get(codeId)?.code.validity.end ?? ""),
    );
    const latest = capacity.overdraft === "0" ? Math.max(...ends) : Infinity;
    const isKept = (codeId: string) =>
      kept.some((one) => one.codeId === codeId && one.from <= until && at <= one.until);
    const skipped = [...evidence.codes.values()].find(
      ({ code }) =>
        code.resource === meter.resource &&
        (accepted.get(code.jti) ?? Infinity) <= at &&
        Date.parse(code.validity.start) <= at &&
        at < Date.parse(code.validity.end) &&
        Date.parse(code.validity.end) < latest &&
        (drawn.get(code.jti) ?? 0n) < BigInt(code.resourceTime) &&
        !isKept(code.jti),
    );
    const where = `record ${record.seq} of ${meter.chainId}`;
    const message = `${skipped?.code.jti} had resource-time left and expires before what it drew on`;
    report.require(skipped === undefined, "draw-order-differs", where, message);
    const isLent = ({ codeId, serviceId, ...one }: Kept) =>
      serviceId === null &&
      one.from <= at &&
      until <= one.until &&
      capacity.debits.some((debit) => debit.codeId === codeId);
    const lent = kept.find(isLent);
    const other = `${lent?.codeId} was lent to leases then, and this is none of theirs`;
    report.require(lent === undefined, "draw-of-lent", where, other);
  }
}

function acceptedAt({ acts }: Evidence): ReadonlyMap<string, number> {
  const accepted = new Map<string, number>();
  for (const { record } of acts) {
    if (record.act.kind === "code-accepted") {
      accepted.set(record.act.codeId, Date.parse(record.at));
    }
  }
  return accepted;
}
