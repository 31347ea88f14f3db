import { readFileSync } from "node:fs";
import type { GuestFolder } from "../guest-folder.ts";
import { readRecord } from "../record.ts";
import { findRunning } from "../running.ts";
import type { Turns } from "../turns.ts";
import { networkName } from "./name.ts";
import { hasRulesOutside, layNetwork } from "./network.ts";
import { readSurroundings } from "./surroundings.ts";

/** A host that gets another address, or whose firewall is restarted, is noticed within this. */
const TEND_EVERY_MS = 10_000;

/**
 * Keeps the networks of guests that run what they should be while the host changes around them: the
 * lender's network may get other addresses, and a firewall's restart takes our tables with its own.
 */
export function createTending(parts: {
  readonly driverTag: string;
  readonly log: (line: string) => void;
  readonly turns: Turns;
}): { tend(paths: GuestFolder): Promise<void> } {
  const { driverTag, log, turns } = parts;
  const last = new Map<string, { readonly atMs: number; readonly laid: string }>();

  const tendNow = async (paths: GuestFolder, laidBefore: string | undefined): Promise<string> => {
    const surroundings = readSurroundings();
    // Whoever turns on all forwarding wants more than guests' packets forwarded.
    const forwards = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8");
    const laid = JSON.stringify({ ...surroundings, forwards });
    const name = networkName(paths.guestId, driverTag);
    if (laid === laidBefore && (await hasRulesOutside(name))) return laid;
    return turns.take(paths.guestId, async () => {
      // It may have been stopped and wiped since it was looked at.
      if ((await findRunning(paths, driverTag)) === null) return laid;
      const told = await layNetwork(name, surroundings);
      if (told !== "") log(`${paths.guestId}: ${told}`);
      return laid;
    });
  };

  return {
    /** Does nothing to a guest without the internet; what fails is logged, and tried again. */
    tend: async (paths) => {
      const before = last.get(paths.guestId);
      if (before !== undefined && performance.now() - before.atMs < TEND_EVERY_MS) return;
      const record = await readRecord(paths);
      if (record?.internet !== true || (await findRunning(paths, driverTag)) === null) {
        last.delete(paths.guestId);
        return;
      }
      try {
        const laid = await tendNow(paths, before?.laid);
        last.set(paths.guestId, { atMs: performance.now(), laid });
      } catch (error) {
        log(`${paths.guestId}: its network could not be tended: ${String(error)}`);
      }
    },
  };
}
