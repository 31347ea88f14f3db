import {
  type LentCode,
  resourceTimeOver,
  STANDBY_RESOURCES,
  STANDBY_STEP,
  type StandbyPart,
  standbySize,
} from "../host/lent-code.ts";
import { type LentLeft, wholeSteps } from "../market/standby.ts";
import { type Size, subtractSizes } from "../unit/size.ts";
import { peakReserved } from "./capacity.ts";
import type { Period } from "./period.ts";

/** Something that holds a size of a host over a period, part of which may be standby. */
export interface Holding {
  readonly size: Size;
  readonly standby: readonly StandbyPart[];
  readonly period: Period;
}

/** The most that is reserved of the base at once during a period. */
export function peakOfBase(held: readonly Holding[], during: Period): Size {
  return peakReserved(
    held.map(({ size, standby, period }) => ({ size: basePart({ size, standby }), period })),
    during,
  );
}

export function basePart({ size, standby }: Pick<Holding, "size" | "standby">): Size {
  return standby.length === 0 ? size : subtractSizes(size, standbySize(standby));
}

/** The most that is reserved of standby at once during a period: in all, or of one code. */
export function peakOfStandby(held: readonly Holding[], during: Period, code?: LentCode): Size {
  const taking = held
    .filter(({ standby }) => standby.length > 0)
    .map(({ standby, period }) => {
      const parts = standby.filter(({ codeId }) => code === undefined || codeId === code.codeId);
      return { size: standbySize(parts), period };
    });
  return peakReserved(taking, during);
}

/**
 * What the codes of a host can give to one lease over a period, beside what others hold of them: in
 * the order of their expiry, and no more in all than the host has in standby.
 */
export function lentDuring(
  lent: readonly LentCode[],
  standby: Size,
  held: readonly Holding[],
  during: { readonly start: Date; readonly end: Date },
): LentLeft[] {
  if (lent.length === 0) return [];
  const installed = subtractSizes(standby, peakOfStandby(held, during));
  const left = { cpu: installed.cpuMilli, memory: installed.memoryBytes };
  const leftAtOnce = { ...left };
  return lent.flatMap((code) => {
    const { codeId, resource, validity } = code;
    if (!code.isOpen || validity.start > during.start || validity.end < during.end) return [];
    const taken = peakOfStandby(held, during, code)[STANDBY_RESOURCES[resource]];
    const steps = (most: number) =>
      Math.max(0, wholeSteps(resource, Math.min(code.quantity - taken, most)));
    const quantity = steps(Math.min(left[resource], mostFor(code, during)));
    const quantityAtOnce = steps(leftAtOnce[resource]);
    left[resource] -= quantity;
    leftAtOnce[resource] -= quantityAtOnce;
    return quantity + quantityAtOnce > 0 ? [{ codeId, resource, quantity, quantityAtOnce }] : [];
  });
}

/** For how much at once the rest of its resource-time suffices during a whole period. */
function mostFor(
  { quantity, resourceTime, reserved }: LentCode,
  during: { readonly start: Date; readonly end: Date },
): number {
  const each = resourceTimeOver(1, during);
  const most = each > 0n ? (resourceTime - reserved) / each : 0n;
  return most < BigInt(quantity) ? Number(most) : quantity;
}

/** No requirement is for less than a minute. */
const USED_UP_NS = 60_000_000_000n;
/** Of each resource: what a grant may name of codes is bounded. */
const CODES_MAX = 50;

/** Those of which a lease could have at all, as many as one may have of. */
export function usableCodes(codes: readonly LentCode[], now: Date): LentCode[] {
  const usable = codes.filter(
    ({ isOpen, validity, resource, resourceTime, reserved }) =>
      isOpen &&
      validity.end > now &&
      resourceTime - reserved >= BigInt(STANDBY_STEP[resource]) * USED_UP_NS,
  );
  const most = (resource: LentCode["resource"]) =>
    usable.filter((code) => code.resource === resource).slice(0, CODES_MAX);
  return [...most("cpu"), ...most("memory")];
}

/** The codes once a lease has these parts over a period. */
export function codesAfter(
  lent: readonly LentCode[],
  parts: readonly StandbyPart[],
  during: { readonly start: Date; readonly end: Date },
): readonly LentCode[] {
  if (parts.length === 0) return lent;
  return lent.map((code) => {
    const part = parts.find(({ codeId }) => codeId === code.codeId);
    if (part === undefined) return code;
    return { ...code, reserved: code.reserved + resourceTimeOver(part.quantity, during) };
  });
}
