import type { StandbyPart } from "../enablement/capacity/lent.ts";
import { sizeOf } from "../enablement/capacity/resource.ts";
import type { Grant } from "../enablement/grant.ts";
import type { OwnGrant } from "../enablement/own-grant.ts";
import { addSizes, mapSize, SIZE_ZERO, type Size } from "../unit/size.ts";

/** What of a guest's size is standby's, by codes that are lent. Own guests have none. */
export function standbyParts(granted: Grant | OwnGrant): readonly StandbyPart[] {
  return "standby" in granted ? (granted.standby ?? []) : [];
}

/** The rest, which the partition is cut to; of what nobody can have it is below zero. */
export function baseSizeOf(granted: Grant | OwnGrant): Size {
  const standby = standbyParts(granted).reduce(
    (sum, { resource, quantity }) => addSizes(sum, sizeOf(resource, quantity)),
    SIZE_ZERO,
  );
  const { size } = granted.partition;
  return mapSize((resource) => size[resource] - standby[resource]);
}
