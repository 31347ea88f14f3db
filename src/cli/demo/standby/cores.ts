import { readFileSync } from "node:fs";

/** The cores that this process may run on, and so its agent: from a list like `0-2,5`. */
export function ownCores(status = readFileSync("/proc/self/status", "utf8")): readonly number[] {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status)?.[1] ?? "";
  return [...list.matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, first, last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index),
  );
}
