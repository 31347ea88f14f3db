import type { Report } from "../report.ts";
import type { Meter } from "./chains.ts";
import type { Evidence } from "./evidence.ts";

interface Instant {
  readonly bootId: string;
  readonly monotonicNs: string;
}

/** A stretch in which a service's timer stood still, as the host's acts tell; open: it still does. */
interface Pause {
  readonly from: Instant;
  readonly to: Instant | null;
}

/** While the host said that the timer stood still, no record of that service may say that it ran. */
export function checkPauses(evidence: Evidence, meters: readonly Meter[], report: Report): void {
  const pauses = readPauses(evidence, report);
  for (const { mode, serviceId, chainId, records } of meters) {
    const own = mode === "dedicated" ? (pauses.get(serviceId) ?? []) : [];
    for (const { record } of records) {
      // Over a late reading's edge time is divided evenly, not as it passed.
      if (record.from.bootId !== record.to.bootId || record.gap) continue;
      const stood = own.reduce((sum, pause) => sum + overlapNs(record, pause), 0n);
      const most = BigInt(record.elapsedNs) - stood;
      const isWithin = BigInt(record.deliveredNs) <= most;
      const message = `it counts ${record.deliveredNs} ns, and ${most} are left beside the pauses`;
      report.require(isWithin, "record-in-pause", `record ${record.seq} of ${chainId}`, message);
    }
  }
}

function readPauses({ acts }: Evidence, report: Report): ReadonlyMap<string, readonly Pause[]> {
  const pauses = new Map<string, Pause[]>();
  for (const { record } of acts) {
    const { act, bootId, monotonicNs } = record;
    if (act.kind !== "service-paused" && act.kind !== "service-resumed") continue;
    const own = pauses.get(act.serviceId) ?? [];
    pauses.set(act.serviceId, own);
    const open = own.at(-1)?.to === null ? own.pop() : undefined;
    if (act.kind === "service-paused") {
      // Another reason for the same standstill goes on in it.
      own.push({ from: open?.from ?? act.from, to: null });
      continue;
    }
    const isTurn = open !== undefined;
    const message = "it resumes what was not paused";
    report.require(isTurn, "pause-out-of-turn", `act ${record.seq}`, message);
    if (open) own.push({ from: open.from, to: { bootId, monotonicNs } });
  }
  return pauses;
}

type Stretch = Meter["records"][number]["record"];

/** Within one boot of the host; where a pause lies over several, it has no edge in this one. */
function overlapNs({ from, to }: Stretch, pause: Pause): bigint {
  const isBegun = pause.from.bootId === from.bootId;
  const isEnded = pause.to?.bootId === from.bootId;
  // Which boots lie between, the acts do not tell: then nothing of it is held against a record.
  if (!isBegun && !isEnded) return 0n;
  const begin = isBegun
    ? later(pause.from.monotonicNs, from.monotonicNs)
    : BigInt(from.monotonicNs);
  const until = isEnded ? earlier(pause.to.monotonicNs, to.monotonicNs) : BigInt(to.monotonicNs);
  return until > begin ? until - begin : 0n;
}

function later(a: string, b: string): bigint {
  return BigInt(a) > BigInt(b) ? BigInt(a) : BigInt(b);
}

function earlier(a: string, b: string): bigint {
  return BigInt(a) < BigInt(b) ? BigInt(a) : BigInt(b);
}
