import { commandLine } from "../../src/partition/qemu/process-table.ts";
import type { Daemon } from "../../test/guest/daemon.ts";
import type { Market } from "../../test/guest/market.ts";
import { end, processesIn } from "../../test/guest/processes.ts";

/** `meter`: the agent of the metered host. */
export const VICTIMS = ["server", "agent", "meter", "database", "guest"] as const;
export type Victim = (typeof VICTIMS)[number];

export type Daemons = Readonly<Record<"server" | "agent" | "meter", Daemon>>;

/** Kills outright; false when there was none. What is no guest is started again by `revive`. */
export async function kill(market: Market, daemons: Daemons, victim: Victim): Promise<boolean> {
  switch (victim) {
    case "server":
    case "agent":
    case "meter":
      await daemons[victim].kill();
      return true;
    case "database":
      return endThoseOf(market, (line) => /\bpostgres\b.* -D /.test(line));
    case "guest":
      return endThoseOf(market, (line) => line.startsWith("qemu-system-"));
  }
}

/** PostgreSQL is its server's to start again, and a guest its agent's. */
export async function revive(daemons: Daemons, victim: Victim): Promise<void> {
  if (victim !== "database" && victim !== "guest") await daemons[victim].start();
}

function endThoseOf(market: Market, isVictim: (line: string) => boolean): boolean {
  const victims = processesIn(market.folder).filter(
    // Looked at again right before: the number may be another's by now.
    ({ pid, line }) => isVictim(line) && commandLine(pid).join(" ").trim() === line,
  );
  for (const { pid } of victims) end(pid);
  return victims.length > 0;
}
