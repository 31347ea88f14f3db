import { AgentError } from "./agent-error.ts";

/** No machine that exists has as many; a typed range must not fill the memory. */
const CORE_NUMBER_MAX = 4095;

/** Reads `0-3,5`, as the kernel and taskset write it; ascending, each number once. */
export function parseCoreList(text: string): readonly number[] {
  const cores = new Set<number>();
  for (const part of text.trim().split(",")) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || first > last || last > CORE_NUMBER_MAX) {
      throw new AgentError(
        "cores-unreadable",
        `"${text}" is not a list of cores; write it like 0-3,5`,
      );
    }
    for (let core = first; core <= last; core++) cores.add(core);
  }
  return [...cores].sort((a, b) => a - b);
}

/** The shortest form: `0-3,5`. */
export function formatCoreList(cores: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cores.length; ) {
    let end = i;
    while (cores[end + 1] === (cores[end] ?? 0) + 1) end++;
    parts.push(end === i ? `${cores[i]}` : `${cores[i]}-${cores[end]}`);
    i = end + 1;
  }
  return parts.join(",");
}
