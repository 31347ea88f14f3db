import { expect, test } from "vitest";
import { torture } from "../../tools/torture/torture.ts";

/** Longer runs, by any seed, are `npm run torture`. */
const SECONDS = 25;

test("server, agent, database and QEMU killed at random: nothing is held twice, nothing is stuck, all adds up", async () => {
  const told: string[] = [];
  const tell = (line: string) => told.push(line);
  const { leases, records, bills, kills, faults } = await torture({
    seed: 2,
    seconds: SECONDS,
    tell,
  });
  expect(faults, told.join("\n")).toEqual([]);
  expect(leases).toBeGreaterThan(0);
  expect(records).toBeGreaterThan(0);
  expect(bills).toBeGreaterThan(0);
  expect(Object.keys(kills).length).toBeGreaterThan(0);
});
