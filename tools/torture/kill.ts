import { commandLine } from "../../src/partition/qemu/process-table.ts";
import type { Market } from "../../test/guest/market.ts";
import { end, processesIn } from "../../test/guest/processes.ts";

export const VICTIMS = ["server", "agent", "database", "guest"] as const;
export type Victim = (typeof VICTIMS)[number];

/** Kills outright; false when there was none. Server and agent are started again by `revive`. */
export async function kill(market: Market, victim: Victim): Promise<boolean> {
  switch (victim) {
    case "server":
    case "agent": {
      const daemon = market[victim];
      await daemon.kill();
      return true;
    }
    case "database":
      return endThoseOf(market, (line) => /\bpostgres\b.* -D /.test(line));
    case "guest":
      return endThoseOf(market, (line) => line.startsWith("qemu-system-"));
  }
}

export async function revive(market: Market, victim: Victim): Promise<void> {
  if (victim === "server" || victim === "agent") await market[victim].start();
}

function endThoseOf(market: Market, isVictim: (line: string) => boolean): boolean {
  const victims = processesIn(market.folder).filter(
    // Looked at again right before: the number may be another's by now.
    ({ pid, line }) => isVictim(line) && commandLine(pid).join(" ").trim() === line,
  );
  for (const { pid } of victims) end(pid);
  return victims.length > 0;
}
