import type { Resource, Size } from "../unit/size.ts";
import type { PartitionView } from "./partition-text.ts";

/**
 * The limits of a partition that is set anew and of which no limits were typed. They stay as they
 * are, as far as the new size lies within them.
 */
export function keptMin({ min }: Pick<PartitionView, "min">, size: Size): Size {
  return each((resource) => Math.min(min[resource], size[resource]));
}

/** A maximum that was the size goes with it: nobody chose it. */
export function keptMax(
  { max, standingSize }: Pick<PartitionView, "max" | "standingSize">,
  size: Size,
): Size {
  return each((resource) =>
    max[resource] === standingSize[resource]
      ? size[resource]
      : Math.max(max[resource], size[resource]),
  );
}

function each(of: (resource: Resource) => number): Size {
  return {
    cpuMilli: of("cpuMilli"),
    memoryBytes: of("memoryBytes"),
    diskBytes: of("diskBytes"),
  };
}
