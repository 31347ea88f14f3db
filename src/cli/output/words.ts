import { formatMoneyMicros } from "../../unit/money.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { Resource, Size } from "../../unit/size.ts";

/** How quantities that came from the server stand on a screen. */

export function money(micros: string, currency: string): string {
  return `${formatMoneyMicros(BigInt(micros))} ${currency}`;
}

export function sizeText(size: Size): string {
  const cores = size.cpuMilli === 1000 ? "core" : "cores";
  return `${formatCpu(size.cpuMilli)} ${cores}, ${formatBytes(size.memoryBytes)}, disk ${formatBytes(size.diskBytes)}`;
}

/** `core 3`, `cores 0,1`. */
export function coresText(cores: readonly number[]): string {
  return `${cores.length === 1 ? "core" : "cores"} ${cores.join(",") || "none"}`;
}

/** Those that guests may run on as long as nothing else is enabled. */
export function coresInBase(of: {
  readonly cores: readonly number[];
  readonly standbyCores?: readonly number[] | undefined;
}): readonly number[] {
  return of.cores.filter((core) => !of.standbyCores?.includes(core));
}

/** What is installed and not enabled, with the numbers of the cores that are. */
export function standbyText(standby: Size, cores: readonly number[] = []): string {
  return cores.length === 0 ? sizeText(standby) : `${sizeText(standby)}; ${coresText(cores)}`;
}

/** `1 core`, `512MiB of memory`, `1GiB of disk`. */
export function amountText(resource: Resource, amount: number): string {
  if (resource === "cpuMilli") return `${formatCpu(amount)} ${amount === 1000 ? "core" : "cores"}`;
  return `${formatBytes(amount)} of ${resource === "memoryBytes" ? "memory" : "disk"}`;
}

/** `attic/guest`, or `attic (carved)` for what is made when it is booked. */
export function placeText(at: {
  readonly host: { readonly name: string };
  readonly partition: { readonly name: string } | null;
}): string {
  return at.partition ? `${at.host.name}/${at.partition.name}` : `${at.host.name} (carved)`;
}

/** `2026-11-22 11:34:47Z`: whole seconds are enough for people. */
export function instant(text: string | null): string {
  if (text === null) return "-";
  return `${new Date(text).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
