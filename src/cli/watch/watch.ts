import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.ts";
import { isUnanswered } from "../until-answered.ts";

/** What is watched: how to look, how it stands on a screen, and as one line each where there is none. */
export interface Watched<T> {
  look(): Promise<readonly T[]>;
  idOf(item: T): string;
  /** What makes a change worth a line. */
  stateOf(item: T): string;
  screen(items: readonly T[]): string;
  line(item: T, before: T | undefined): string;
  /** One that is no longer listed. */
  goneLine(item: T): string;
  /** Returns at a hint that something changed, or after so long. */
  next(items: readonly T[], everyMs: number, stop: AbortSignal): Promise<void>;
}

/** Where no hint comes: often enough for a person who looks. */
const EVERY_MS = 2_000;
/** A server that restarts is back within seconds; one that is away is asked twice a minute. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

/** Until SIGINT or SIGTERM, which is how one ends it and no failure. */
export async function watch<T>(context: Context, watched: Watched<T>): Promise<void> {
  const stop = new AbortController();
  const told = () => stop.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, told);
  try {
    await watchUntil(context, watched, stop.signal);
  } finally {
    for (const signal of signals) process.off(signal, told);
  }
}

/** A server that does not answer is waited for, and both are told; any other failure ends it. */
export async function watchUntil<T>(
  context: Context,
  watched: Watched<T>,
  stop: AbortSignal,
): Promise<void> {
  const shown = shownBy(context, watched);
  let failures = 0;
  while (!stop.aborted) {
    let items: readonly T[];
    try {
      items = await watched.look();
    } catch (error) {
      if (stop.aborted) break;
      if (!isUnanswered(error)) throw error;
      const waitMs = PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)] ?? 0;
      shown.silent(`${error.message}; asking again in ${Math.ceil(waitMs / 1000)} s`, failures);
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
      continue;
    }
    if (failures > 0) shown.back();
    failures = 0;
    shown.items(items);
    await watched.next(items, EVERY_MS, stop).catch((error: unknown) => {
      if (!stop.aborted) throw error;
    });
  }
}

interface Shown<T> {
  items(items: readonly T[]): void;
  silent(text: string, failures: number): void;
  back(): void;
}

function shownBy<T>(context: Context, watched: Watched<T>): Shown<T> {
  return context.stdout.isTTY && !context.json
    ? onScreen(context, watched)
    : asLines(context, watched);
}

/** The same lines anew: back up over what stands there, and clear from there on. */
function onScreen<T>({ stdout }: Context, watched: Watched<T>): Shown<T> {
  let text = "";
  let standing = "";
  const draw = (note: string) => {
    const now = note === "" ? text : `${text}\n${note}`;
    if (now === standing) return;
    const width = stdout.columns ?? 80;
    const rows = standing === "" ? 0 : rowsOf(standing, width);
    stdout.write(`${rows > 0 ? `\u001b[${rows}A\r` : ""}\u001b[J${now}\n`);
    standing = now;
  };
  return {
    items: (items) => {
      text = watched.screen(items);
      draw("");
    },
    silent: (note) => draw(note),
    back: () => undefined,
  };
}

/** A line that is wider than the terminal takes several rows of it. */
function rowsOf(text: string, width: number): number {
  const rows = text.split("\n").map((line) => Math.max(1, Math.ceil(line.length / width)));
  return rows.reduce((sum, row) => sum + row, 0);
}

/** One line a change; the first look tells all that there is. */
function asLines<T>({ stdout, stderr, json }: Context, watched: Watched<T>): Shown<T> {
  const known = new Map<string, T>();
  const tell = (item: T, line: string) => {
    stdout.write(`${json ? JSON.stringify(item) : line}\n`);
  };
  return {
    items: (items) => {
      for (const item of items) {
        const before = known.get(watched.idOf(item));
        known.set(watched.idOf(item), item);
        if (before && watched.stateOf(before) === watched.stateOf(item)) continue;
        tell(item, watched.line(item, before));
      }
      const listed = new Set(items.map((item) => watched.idOf(item)));
      for (const [id, item] of known) {
        if (listed.has(id)) continue;
        known.delete(id);
        if (!json) stdout.write(`${watched.goneLine(item)}\n`);
      }
    },
    silent: (note, failures) => {
      if (failures === 1) stderr.write(`sublet: ${note}\n`);
    },
    back: () => void stderr.write("sublet: the server answers again\n"),
  };
}
