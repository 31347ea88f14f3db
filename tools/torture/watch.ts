import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseCoreList } from "../../src/agent/core-list.ts";
import { processesIn } from "../../test/guest/processes.ts";
import { STANDBY_CORE } from "./metered.ts";

/** Of CLOCK_MONOTONIC, which all processes of this computer share. */
export interface Span {
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

export interface Seen {
  /** Capacity may have been in service; outside of these it was not. */
  readonly enabled: readonly Span[];
  /** No guest ran at all. */
  readonly off: readonly Span[];
  /** What was seen of cores that must not be. */
  readonly faults: readonly string[];
}

/** Looks at the guests of the metered host all the time, with eyes of its own. */
export interface Watch {
  /** From now on one partition alone may have standby cores, or the whole pool. */
  mode: "dedicated" | "shared";
  /** Somebody is about to enable something. */
  enabling(): void;
  /** Nothing is in service any more, as was just seen. */
  allReturned(): void;
  /** Ends it. */
  stop(): Promise<Seen>;
}

const LOOK_EVERY_MS = 100;
/** Between two looks further apart than this a guest may have come and gone. */
const APART_NS_MAX = 400_000_000n;

export function watchGuests(guestsFolder: string, tell: (line: string) => void): Watch {
  const enabled: Span[] = [];
  const off: Span[] = [];
  const faults = new Set<string>();
  const fault = (what: string) => {
    if (!faults.has(what)) tell(`watch: ${what}`);
    faults.add(what);
  };
  let openNs: bigint | null = null;
  let offNs: bigint | null = null;
  let isStopped = false;

  const look = () => {
    const nowNs = process.hrtime.bigint();
    const mayHave = openNs !== null;
    const guests = processesIn(guestsFolder).filter(({ line }) => line.includes("qemu-system-"));
    const since = offNs;
    // The first of two looks counts from its end, and the second to its begin.
    offNs = guests.length === 0 ? process.hrtime.bigint() : null;
    if (since !== null && guests.length === 0 && nowNs - since <= APART_NS_MAX) {
      off.push({ fromNs: since, toNs: nowNs });
    }
    // What has yet to become QEMU is not on its cores yet.
    const holders = guests.filter(
      ({ pid, line }) => line.startsWith("qemu-system-") && mayRunOn(pid, STANDBY_CORE),
    );
    // What was returned while this looked may have been read before.
    if (holders.length > 0 && !mayHave && openNs === null) {
      fault("a guest may run on the standby core while nothing is in service");
    }
    if (holders.length > 1 && watch.mode === "dedicated") {
      fault(`the standby core is that of ${holders.length} guests at once`);
    }
  };
  const looking = (async () => {
    while (!isStopped) {
      look();
      await sleep(LOOK_EVERY_MS);
    }
  })();

  const allReturned = () => {
    if (openNs !== null) enabled.push({ fromNs: openNs, toNs: process.hrtime.bigint() });
    openNs = null;
  };
  const watch: Watch = {
    mode: "dedicated",
    enabling: () => {
      openNs ??= process.hrtime.bigint();
    },
    allReturned,
    stop: async () => {
      isStopped = true;
      await looking;
      allReturned();
      return { enabled, off, faults: [...faults] };
    },
  };
  return watch;
}

/** Of `within`, how much lies in `enabled` and not in `off`. Both are ascending and disjoint. */
export function usableNs(within: Span, { enabled, off }: Pick<Seen, "enabled" | "off">): bigint {
  return enabled.reduce((sum, span) => {
    const [fromNs, toNs] = [max(span.fromNs, within.fromNs), min(span.toNs, within.toNs)];
    if (toNs <= fromNs) return sum;
    return sum + (toNs - fromNs) - commonNs({ fromNs, toNs }, off);
  }, 0n);
}

function commonNs(within: Span, spans: readonly Span[]): bigint {
  return spans.reduce((sum, { fromNs, toNs }) => {
    const common = min(toNs, within.toNs) - max(fromNs, within.fromNs);
    return common > 0n ? sum + common : sum;
  }, 0n);
}

/** Any of its threads; one that has just ended may run nowhere. */
function mayRunOn(pid: number, core: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
      const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1];
      return list !== undefined && parseCoreList(list).includes(core);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return false;
    throw error;
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
