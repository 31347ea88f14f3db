import {
  STANDBY_RESOURCES,
  STANDBY_STEP,
  type StandbyPart,
  type StandbyResource,
  standbySize,
} from "../host/lent-code.ts";
import { addSizes, type Size } from "../unit/size.ts";

/** What a lent code could give to a lease over one period: the one that expires first stands first. */
export interface LentLeft extends StandbyPart {
  /** milliCores or bytes that would be left if its resource-time were no matter. */
  readonly quantityAtOnce: number;
}

/**
 * What of the base must be left for a lease to have standby beside it. A guest boots with a core of
 * the base; of memory two blocks, so that whole blocks of standby always leave it one of them.
 */
const BASE_LEFT_MIN: Readonly<Record<StandbyResource, number>> = {
  cpu: STANDBY_STEP.cpu,
  memory: 2 * STANDBY_STEP.memory,
};

/** What is left for one lease, of which standby is only beside some of the base. */
export function withStandby(
  baseLeft: Size,
  lent: readonly LentLeft[],
  part: "quantity" | "quantityAtOnce" = "quantity",
): Size {
  if (lent.length === 0) return baseLeft;
  const added = standbySize(
    lent
      .filter(({ resource }) => baseLeft[STANDBY_RESOURCES[resource]] >= BASE_LEFT_MIN[resource])
      .map((one) => ({ resource: one.resource, quantity: one[part] })),
  );
  return addSizes(baseLeft, added);
}

/** The parts of a size for which the base has no room; of codes in their order. */
export function standbyParts(
  size: Size,
  baseLeft: Size,
  lent: readonly LentLeft[],
): readonly StandbyPart[] {
  const parts: StandbyPart[] = [];
  const short = {
    // A fraction of a core that is left is no core of a dedicated partition.
    cpu: size.cpuMilli - wholeSteps("cpu", baseLeft.cpuMilli),
    memory: -wholeSteps("memory", baseLeft.memoryBytes - size.memoryBytes),
  };
  for (const { codeId, resource, quantity: most } of lent) {
    const quantity = Math.min(most, short[resource]);
    if (quantity <= 0) continue;
    parts.push({ codeId, resource, quantity });
    short[resource] -= quantity;
  }
  return parts;
}

/** Rounded down to what can be enabled; of what is below nothing, away from it. */
export function wholeSteps(resource: StandbyResource, amount: number): number {
  return Math.floor(amount / STANDBY_STEP[resource]) * STANDBY_STEP[resource];
}
