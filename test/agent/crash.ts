import type { DatabaseSync } from "node:sqlite";
import type { Client } from "../../src/api/client/client.ts";
import type { PartitionDriver } from "../../src/partition/driver.ts";

export class Crash extends Error {
  override name = "Crash";
}

export interface CrashPoint {
  /** Counts the boundaries that were crossed; at number `at` the agent is dead. */
  readonly crossed: () => number;
  readonly isDead: () => boolean;
  /** What the dying agent may no longer write to. */
  attach(db: DatabaseSync): void;
  driver(driver: PartitionDriver): PartitionDriver;
  client(client: Client): Client;
}

/**
 * Kills the agent at its `at`th boundary: before or after one of its effects on the driver or the
 * server. Its database closes at that instant, so that nothing it still does is remembered.
 */
export function createCrashPoint(at: number): CrashPoint {
  let crossed = 0;
  let isDead = false;
  let db: DatabaseSync | null = null;
  const boundary = () => {
    if (isDead) throw new Crash("dead already");
    crossed += 1;
    if (crossed !== at) return;
    isDead = true;
    db?.close();
    throw new Crash(`at boundary ${at}`);
  };
  const guarded =
    (work: (...input: unknown[]) => unknown) =>
    async (...input: unknown[]) => {
      boundary();
      const result = await work(...input);
      boundary();
      return result;
    };
  const guard = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name);
        return typeof member === "function"
          ? guarded(member as (...input: unknown[]) => unknown)
          : member;
      },
    });
  return {
    crossed: () => crossed,
    isDead: () => isDead,
    attach: (opened) => {
      db = opened;
    },
    driver: guard,
    client: guard,
  };
}
