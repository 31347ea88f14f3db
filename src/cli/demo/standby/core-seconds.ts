import { useText } from "../../../enablement/capacity/resource.ts";

/** As bills write it: `2.41 core-seconds`. */
export function coreSeconds(ns: bigint): string {
  return useText("cpu", ns * 1000n);
}
