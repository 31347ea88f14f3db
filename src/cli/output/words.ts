import { formatMoneyMicros } from "../../unit/money.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { Size } from "../../unit/size.ts";

/** How quantities that came from the server stand on a screen. */

export function money(micros: string, currency: string): string {
  return `${formatMoneyMicros(BigInt(micros))} ${currency}`;
}

export function sizeText(size: Size): string {
  const cores = size.cpuMilli === 1000 ? "core" : "cores";
  return `${formatCpu(size.cpuMilli)} ${cores}, ${formatBytes(size.memoryBytes)}, disk ${formatBytes(size.diskBytes)}`;
}

/** `2026-11-22 11:34:47Z`: whole seconds are enough for people. */
export function instant(text: string | null): string {
  if (text === null) return "-";
  return `${new Date(text).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
