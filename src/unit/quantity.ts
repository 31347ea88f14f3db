/**
 * Reading and writing quantities as people type them. Every reader is strict: text that is not
 * wholly understood is an `InputError` whose message shows a right example.
 */
export class InputError extends Error {
  override name = "InputError";
}

const BYTE_UNITS: Readonly<Record<string, bigint>> = {
  B: 1n,
  kB: 1000n,
  MB: 1000n ** 2n,
  GB: 1000n ** 3n,
  TB: 1000n ** 4n,
  KiB: 1n << 10n,
  MiB: 1n << 20n,
  GiB: 1n << 30n,
  TiB: 1n << 40n,
};

/** `512MiB`, `1.5GiB`, `20GB` or a bare count of bytes; whole bytes only. */
export function parseBytes(text: string): number {
  const match = /^(\d+)(?:\.(\d{1,9}))?\s*([kKMGT]?i?B)?$/.exec(text.trim());
  const unit = BYTE_UNITS[match?.[3] ?? "B"];
  if (!match || unit === undefined) {
    throw new InputError(
      `"${text}" is not an amount of memory or disk; write it like 512MiB or 20GiB`,
    );
  }
  const fraction = match[2] ?? "";
  const scaled = BigInt(match[1] + fraction) * unit;
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n || scaled / divisor > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new InputError(
      `"${text}" is not a whole number of bytes below 8 PiB; write it like 512MiB`,
    );
  }
  return Number(scaled / divisor);
}

/** The shortest exact form: `512MiB`, `1.5GiB`, `1000B`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    // Quarters: dividing by a power of two and multiplying by four are exact in floating point.
    if (bytes >= size && Number.isInteger((bytes / size) * 4)) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** Cores as a person says them (`2`, `0.5`) or millicores (`500m`), in thousandths of a core. */
export function parseCpu(text: string): number {
  const milli = /^(\d{1,7})m$/.exec(text.trim());
  if (milli) return Number(milli[1]);
  const cores = /^(\d{1,5})(?:\.(\d{1,3}))?$/.exec(text.trim());
  if (!cores) throw new InputError(`"${text}" is not a number of cores; write it like 2 or 0.5`);
  return Number(cores[1]) * 1000 + Number((cores[2] ?? "").padEnd(3, "0"));
}

export function formatCpu(cpuMilli: number): string {
  return String(cpuMilli / 1000);
}

const DURATION_UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90m`, `2h`, `1h30m`, `30d`, `45s`; whole seconds. */
export function parseDurationSeconds(text: string): number {
  const trimmed = text.trim();
  if (!/^(\d{1,6}[smhd])+$/.test(trimmed)) {
    throw new InputError(`"${text}" is not a length of time; write it like 90m, 2h or 1h30m`);
  }
  let seconds = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d+)([smhd])/g)) {
    seconds += Number(count) * (DURATION_UNITS[unit ?? ""] ?? 0);
  }
  return seconds;
}

export function formatDurationSeconds(seconds: number): string {
  if (seconds === 0) return "0s";
  let rest = seconds;
  let text = "";
  for (const unit of ["d", "h", "m", "s"] as const) {
    const size = DURATION_UNITS[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** `now`, `now+2h`, or ISO 8601 with a time zone. */
export function parseInstant(text: string, now: Date): Date {
  const trimmed = text.trim();
  const relative = /^now(?:\+(.+))?$/.exec(trimmed);
  const instant = relative
    ? new Date(now.getTime() + secondsAfterNow(relative[1]) * 1000)
    : new Date(isZonedInstant(trimmed) ? trimmed : Number.NaN);
  if (Number.isNaN(instant.getTime())) {
    throw new InputError(
      `"${text}" is not a time; write now+2h, or ISO 8601 with a zone like 2027-01-31T08:00Z`,
    );
  }
  return instant;
}

function secondsAfterNow(duration: string | undefined): number {
  return duration === undefined ? 0 : parseDurationSeconds(duration);
}

/** With a day that its month has: `Date` makes 2 March of 30 February. */
function isZonedInstant(text: string): boolean {
  const match =
    /^(\d{4}-\d{2}-(\d{2}))T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.exec(text);
  return match !== null && new Date(`${match[1]}T00:00Z`).getUTCDate() === Number(match[2]);
}
