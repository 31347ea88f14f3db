import { expect, test } from "vitest";
import type { Machine } from "./machine.ts";
import { planResize } from "./plan.ts";

const MIB = 1024 * 1024;
const cpu = (number: number, path: string | null) => ({
  ...{ type: "max-x86_64-cpu", props: { "core-id": number }, path },
});
const piece = (slot: number, mib: number) => ({ id: `dimm-${slot}`, bytes: mib * MIB, slot });

/** Two virtual cpus of four, 256 MiB from the start, and 128 + 256 + 128 MiB added. */
const MACHINE: Machine = {
  cpus: [cpu(0, "/machine/unattached/device[0]"), cpu(1, "/one"), cpu(2, null), cpu(3, null)],
  memory: {
    baseBytes: 256 * MIB,
    pluggedBytes: 512 * MIB,
    pieces: [piece(0, 128), piece(1, 256), piece(2, 128)],
  },
};
const plan = (cpuMilli: number, memoryMib: number, diskBytes = 0) =>
  planResize(MACHINE, { cpuMilli, memoryBytes: memoryMib * MIB, diskBytes }, 0);
const NOTHING = { ok: true, cpusIn: [], cpusOut: [], memoryOut: [], memoryInBytes: 0 };

test("what is there already needs nothing, so repeating a resize does nothing", () => {
  expect(plan(2000, 768)).toEqual(NOTHING);
  expect(plan(1500, 768)).toEqual(NOTHING);
});

test("cpus come in by their numbers and go out the other way; the first stays", () => {
  expect(plan(4000, 768)).toMatchObject({ cpusIn: [MACHINE.cpus[2], MACHINE.cpus[3]] });
  expect(plan(500, 768)).toMatchObject({ cpusOut: [MACHINE.cpus[1]] });
  expect(plan(0, 768)).toMatchObject({ ok: false });
});

test("memory comes in whole, and goes out in pieces that add up exactly", () => {
  expect(plan(2000, 1024)).toMatchObject({ memoryInBytes: 256 * MIB, memoryOut: [] });
  const slots = (mib: number) => {
    const made = plan(2000, mib);
    return made.ok ? made.memoryOut.map(({ slot }) => slot) : made.message;
  };
  expect(slots(640)).toEqual([2]);
  expect(slots(512)).toEqual([2, 0]);
  expect(slots(384)).toEqual([2, 1]);
  expect(slots(256)).toEqual([2, 1, 0]);
});

test.each([
  ["more cpus than it was started for", 5000, 768, 0, /at most 4 virtual cpus/],
  ["less memory than it was started with", 2000, 128, 0, /was started with/],
  ["a part of a block of memory", 2000, 700, 0, /whole 128 MiB/],
  ["another disk", 2000, 768, 4096, /a disk keeps its size/],
])("%s is refused and says why", (_what, cpuMilli, mib, diskBytes, why) => {
  const made = plan(cpuMilli, mib, diskBytes);
  expect(made).toMatchObject({ ok: false, message: expect.stringMatching(why) });
});

test("pieces that do not add up are named", () => {
  const memory = { ...MACHINE.memory, pluggedBytes: 256 * MIB, pieces: [piece(0, 256)] };
  const size = { cpuMilli: 2000, memoryBytes: 384 * MIB, diskBytes: 0 };
  expect(planResize({ ...MACHINE, memory }, size, 0)).toMatchObject({
    message: "memory goes out in the pieces in which it came: 256 MiB",
  });
});
