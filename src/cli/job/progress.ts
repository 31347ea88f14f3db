import { Writable } from "node:stream";
import { formatBytes } from "../../unit/quantity.ts";
import type { Context } from "../context.ts";
import { progress } from "../output/progress.ts";

/** Under `--quiet` what happens is not told; what fails, is. */
export function hushed(context: Context, quiet: boolean): Context {
  if (!quiet) return context;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { ...context, stderr: nowhere };
}

/** Counts bytes that go by, and tells how many, how fast, and for how long yet. */
export function transfer(context: Context, what: string, totalBytes: number | null) {
  const shown = progress(context);
  const startedAtMs = context.clock.now().getTime();
  let bytes = 0;
  let toldAtMs = startedAtMs;
  return {
    count(more: number): void {
      bytes += more;
      const nowMs = context.clock.now().getTime();
      if (nowMs - toldAtMs < 250 || nowMs - startedAtMs < 1000) return;
      toldAtMs = nowMs;
      shown.update(`${what}: ${transferText(bytes, totalBytes, nowMs - startedAtMs)}`);
    },
    done(): void {
      shown.done();
    },
  };
}

/** `3MiB of 12MiB, 1.5MiB/s, 6 s left` */
export function transferText(bytes: number, totalBytes: number | null, elapsedMs: number): string {
  const perSecond = elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0;
  const of = totalBytes === null ? "" : ` of ${rounded(totalBytes)}`;
  const leftSeconds =
    totalBytes === null || perSecond === 0 ? null : Math.ceil((totalBytes - bytes) / perSecond);
  const left = leftSeconds === null || leftSeconds < 0 ? "" : `, ${leftSeconds} s left`;
  return `${rounded(bytes)}${of}, ${rounded(perSecond)}/s${left}`;
}

/** To a tenth of the unit that people would take. */
export function rounded(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))}${unit}`;
  }
  return formatBytes(Math.round(bytes));
}
