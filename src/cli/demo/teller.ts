import type { Screen } from "../surroundings.ts";

/** Tells the story in plain lines, each with the seconds since its begin. */
export interface Teller {
  /** What is about to happen, or has. */
  say(line: string): void;
  /** What one would type for it. */
  command(argv: readonly string[]): void;
  /** Something that came out of it. */
  detail(line: string): void;
  /** Says `what` and how long it takes, now and then, until `work` is done. */
  during<T>(what: string, work: Promise<T>): Promise<T>;
  elapsedMs(): number;
}

/** Soon at first, so that nobody wonders; then more and more seldom. */
const STILL_FIRST_MS = 2000;
const STILL_MOST_MS = 15_000;

export function createTeller(screen: Screen): Teller {
  const startedAt = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  const say = (line: string) => {
    screen.write(`${(elapsedMs() / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  const detail = (line: string) => {
    for (const one of line.split("\n")) screen.write(`          ${one}\n`);
  };
  return {
    say,
    detail,
    elapsedMs,
    command: (argv) => detail(`$ sublet ${argv.map(shown).join(" ")}`),
    during: async (what, work) => {
      const since = performance.now();
      let timer = setTimeout(function still() {
        const ms = performance.now() - since;
        detail(`… ${what}, ${Math.round(ms / 1000)} s so far`);
        timer = setTimeout(still, Math.min(ms, STILL_MOST_MS));
      }, STILL_FIRST_MS);
      try {
        return await work;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** As a person would have to type it; secrets and long tokens are cut. */
function shown(argument: string): string {
  const cut = /^(sublet_|sublet-join\.)/.test(argument) ? `${argument.slice(0, 14)}…` : argument;
  return /^[\w@%+=:,./…-]+$/.test(cut) ? cut : `'${cut.replaceAll("'", `'\\''`)}'`;
}
