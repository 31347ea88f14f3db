import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createQemuDriver } from "../../partition/qemu/driver.ts";

/** Where the parts of a demo lie within its folder. */
export const DEMO_PARTS = {
  server: "server",
  agent: "agent",
  /** Of the second host, which has a core in standby. */
  standby: "standby",
  config: "config",
} as const;

/**
 * Takes away what a demo that broke off has left: its guests, which outlive their agents by design,
 * and its folder. Server and agents have ended before.
 */
export async function cleanUp(folder: string): Promise<void> {
  for (const part of [DEMO_PARTS.agent, DEMO_PARTS.standby]) {
    const guests = join(folder, part, "guests");
    if (!existsSync(guests)) continue;
    const driver = createQemuDriver({ folder: guests, log: () => undefined });
    for (const guestId of await driver.list()) {
      await driver.stop(guestId, 0);
      await driver.wipe(guestId);
    }
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
