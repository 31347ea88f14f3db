import { setTimeout as sleep } from "node:timers/promises";
import type { ShownCapacity } from "../../src/agent/capacity/show.ts";
import type { OwnGuestView } from "../../src/agent/own/show.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import type { Answer } from "../../src/cli/demo/verbs.ts";
import type { Market } from "../../test/guest/market.ts";
import type { Chance } from "./chance.ts";
import { METERED_HOST, type Metered } from "./metered.ts";
import type { Watch } from "./watch.ts";

export interface Owner {
  readonly market: Market;
  readonly metered: Metered;
  readonly watch: Watch;
  readonly chance: Chance;
  readonly stopped: AbortSignal;
  readonly tell: (line: string) => void;
}

/** What came of it, beside what host and provider have on record. */
export interface Owned {
  readonly guestIds: readonly string[];
  /** Answers that nobody should ever get. */
  readonly faults: readonly string[];
}

const SIZE = ["--memory", "192MiB", "--disk", "64MiB"];
/** A shared guest may grow into what is enabled. */
const MAX = ["--max-cpu", "1", "--max-memory", "192MiB", "--max-disk", "64MiB"];
/** One partition with the only core, or two that share it, each with a threshold of its own. */
const LIVES = {
  dedicated: [{ name: "solo", cut: ["--cpu", "1"] }],
  shared: ["left", "right"].map((name) => ({
    name,
    cut: ["--cpu", "0.5", "--shared", ...MAX],
  })),
} as const;
/** How an answer says that something of ours is broken. */
const BROKEN = new Set(["internal", "unexpected", "no-answer", "wrong-usage"]);
const PATIENCE_MS = 90_000;

/**
 * The metered host's owner: cuts it, starts guests, has codes issued, enables and returns, sets
 * thresholds, switches guests off and on, lets them work; and now and then begins anew in the other
 * mode. Told to stop, it gives everything back and takes its guests away.
 */
export async function ownUntil(owner: Owner): Promise<Owned> {
  const { market, metered, watch, chance, stopped, tell } = owner;
  const guestIds = new Set<string>();
  const faults = new Set<string>();
  const ask = async <T>(...argv: string[]): Promise<Answer<T>> => {
    const answer = await market.verbs.ask<T>(...argv);
    const said = answer.ok ? "done" : answer.code;
    tell(`owner: ${argv.slice(0, 4).join(" ").slice(0, 60)}: ${said}`);
    if (!answer.ok && BROKEN.has(answer.code)) {
      faults.add(`${argv.slice(0, 2).join(" ")} was answered: ${answer.code}, ${answer.message}`);
    }
    return answer;
  };
  const at = ["--agent", metered.socket];

  let isShared = chance.next() < 0.5;
  while (!stopped.aborted) {
    watch.mode = isShared ? "shared" : "dedicated";
    const partitions = LIVES[watch.mode];
    await begin(partitions);
    // However slow the machine is, something is metered.
    await again("capacity is in service", async () => {
      const code = await issue({ isLasting: true });
      if (code !== null) await enable(code, partitions[0]?.name ?? "");
      return (await look()).some(({ state }) => state === "in-service");
    });
    const untilMs = performance.now() + chance.between(15_000, 40_000);
    while (performance.now() < untilMs && !stopped.aborted) {
      await act(chance.pick(DEEDS), chance.pick(partitions as Partitions).name);
      await sleep(chance.between(100, 1500));
    }
    await end(partitions);
    isShared = !isShared;
  }
  return { guestIds: [...guestIds], faults: [...faults] };

  async function begin(partitions: readonly Partition[]): Promise<void> {
    for (const { name, cut } of partitions) {
      await ask("partition", "set", METERED_HOST, name, ...cut, ...SIZE, "--as", "lender");
      // The agent hears of the partition a moment later.
      await again(`${name} has a guest`, async () => {
        const image = ["--image", market.imageFolder];
        const started = await ask<OwnGuestView>("partition", "start", name, ...image, ...at);
        if (started.ok) guestIds.add(started.value.guestId);
        return started.ok || started.code === "partition-has-guest";
      });
    }
  }

  async function act(deed: Deed, name: string): Promise<void> {
    const where = placeOf(name);
    switch (deed) {
      case "enable": {
        const code = await issue({ isLasting: false });
        if (code === null) return;
        await enable(code, name);
        // Again, as somebody does who did not see the answer.
        if (chance.next() < 0.3) await enable(code, name);
        return;
      }
      case "enable-more":
        watch.enabling();
        await ask("capacity", "enable", "--accepted", ...where, "--cpu", "1", ...at);
        return;
      case "return":
        await ask("capacity", "return", ...where, ...at);
        await look();
        return;
      case "threshold":
        await ask("capacity", "threshold", name, `${chance.between(1, 7)}s`, ...at);
        return;
      case "work":
        await ask(
          ...[
            "partition",
            "ssh",
            name,
            ...at,
            "--",
            `timeout ${chance.between(1, 3)} yes >/dev/null`,
          ],
        );
        return;
      case "stop":
      case "start":
        await ask("partition", deed, name, ...at);
        return;
      case "bill-now":
        await ask("capacity", "bill-now", ...at);
        return;
      case "demand":
        await ask("capacity", "bill-now", "--host", METERED_HOST, "--as", "vendor");
        return;
    }
  }

  function placeOf(name: string): readonly string[] {
    return watch.mode === "shared" ? ["--shared"] : ["--partition", name];
  }

  async function enable(code: string, name: string): Promise<void> {
    watch.enabling();
    await ask("capacity", "enable", code, ...placeOf(name), ...at);
  }

  /** On chosen terms: some are soon used up, some soon over. */
  async function issue({ isLasting }: { readonly isLasting: boolean }): Promise<string | null> {
    const seconds = isLasting ? 3600 : chance.pick([2, 10, 600, 3600]);
    const wish = ["--host", METERED_HOST, "--cpu", "1", "--for", `${seconds}s`, "--as", "lender"];
    const asked = await ask<Response<"requestCapacity">>("capacity", "request", ...wish);
    if (!asked.ok) return null;
    const terms = [
      ...["--valid", isLasting ? "1d" : chance.pick(["8s", "30s", "1d", "1d"])],
      ...["--on-exhaustion", chance.pick(["stop-new", "reclaim", "reclaim:2s"])],
    ];
    const issued = await ask<Response<"issueCode">>(
      ...["capacity", "issue", asked.value.requestId, ...terms, "--as", "vendor"],
    );
    return issued.ok ? issued.value.code.codeJws : null;
  }

  /** When nothing is in service, that was so before now. */
  async function look(): Promise<ShownCapacity["services"]> {
    // It is killed and comes back; whoever asks waits for that already.
    for (let times = 1; ; times++) {
      const shown = await ask<ShownCapacity>("capacity", "show", ...at);
      if (!shown.ok && times < 5) continue;
      if (!shown.ok) throw new Error(`the metered host's agent stays away: ${shown.message}`);
      if (shown.value.services.length === 0) watch.allReturned();
      return shown.value.services;
    }
  }

  async function end(partitions: readonly Partition[]): Promise<void> {
    const isGivenBack = chance.next() < 0.5;
    for (const { name } of partitions) {
      if (isGivenBack) await act("return", name);
      await again(`the guest of ${name} is gone`, async () => {
        const wiped = await ask("partition", "wipe", name, "--yes", ...at);
        return wiped.ok || wiped.code === "no-own-guest" || wiped.code === "not-found";
      });
    }
    await again("everything is given back", async () => {
      await act("return", partitions[0]?.name ?? "");
      return (await look()).length === 0;
    });
    for (const { name } of partitions) {
      await again(`${name} is removed`, async () => {
        const asked = ["partition", "remove", METERED_HOST, name, "--as", "lender"];
        const removed = await ask(...asked);
        return removed.ok || removed.code === "not-found";
      });
    }
  }

  async function again(what: string, isDone: () => Promise<boolean>): Promise<void> {
    for (const sinceMs = performance.now(); performance.now() - sinceMs < PATIENCE_MS; ) {
      if (await isDone()) return;
      await sleep(500);
    }
    faults.add(`not within ${PATIENCE_MS / 1000} s: ${what}`);
  }
}

type Partition = { readonly name: string; readonly cut: readonly string[] };
type Partitions = readonly [Partition, ...Partition[]];

type Deed =
  | ("enable" | "enable-more" | "return" | "threshold")
  | ("work" | "stop" | "start" | "bill-now" | "demand");
const DEEDS = [
  ...["enable", "enable", "enable", "enable-more", "enable-more", "return", "return", "return"],
  ...["work", "work", "threshold", "threshold", "stop", "start", "start", "bill-now", "demand"],
] as unknown as readonly [Deed, ...Deed[]];
