import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { virtualCpuThreads } from "../../src/partition/qemu/cpu-time.ts";
import { qmp } from "../../src/partition/qemu/qmp.ts";
import { MIB, type OwnGuests, ownGuests } from "./own-guest.ts";

/** One guest that may grow to two cpus and 1 GiB; the tests go on with it in order. */

const GUEST = "lease_resized";
const DISK_BYTES = 16 * MIB;
const SMALL = { cpuMilli: 1000, memoryBytes: 256 * MIB, diskBytes: DISK_BYTES };
const LARGE = { cpuMilli: 2000, memoryBytes: 512 * MIB, diskBytes: DISK_BYTES };
const CORES = availableParallelism() > 1 ? [0, 1] : [0, 0];
const canHotPlug = process.arch === "x64";

let guests: OwnGuests;
let pid: number;

beforeAll(async () => {
  guests = await ownGuests();
  const maxSize = { ...LARGE, memoryBytes: 1024 * MIB };
  const spec = guests.spec({ guestId: GUEST, size: SMALL, maxSize, cores: [0] });
  const booted = await guests.driver.boot(spec);
  pid = Number(booted.processId?.split(":")[1]);
  await guests.untilAnswers(GUEST);
}, 180_000);

afterAll(() => guests.clear());

/** What the guest itself says that it has. */
async function inside(): Promise<{ cpus: number; memoryMib: number }> {
  const said = await guests.ssh(GUEST, "nproc; grep MemTotal /proc/meminfo");
  const [, cpus, kib] = /^(\d+)\n\D+(\d+) kB/.exec(said) ?? [];
  return { cpus: Number(cpus), memoryMib: Math.round(Number(kib) / 1024) };
}

test.runIf(canHotPlug)(
  "a running guest grows, and itself sees what it was given",
  async () => {
    const before = await inside();
    expect(before.cpus).toBe(1);
    const grown = await guests.driver.resize(GUEST, { size: LARGE, cores: CORES });
    expect(grown).toEqual({ how: "live" });
    await expect.poll(inside, { timeout: 10_000, interval: 500 }).toEqual({
      ...{ cpus: 2, memoryMib: before.memoryMib + 256 },
    });
    expect(virtualCpuThreads(pid)).toHaveLength(2);
    expect(await guests.driver.resize(GUEST, { size: LARGE, cores: CORES })).toEqual(grown);
  },
  60_000,
);

test.runIf(canHotPlug)(
  "its cpus can be made to share some cores, so that the others are free, and have their own again",
  async () => {
    const coresOf = () =>
      virtualCpuThreads(pid).map(({ threadId }) => {
        const status = readFileSync(`/proc/${pid}/task/${threadId}/status`, "utf8");
        return /Cpus_allowed_list:\s+(\S+)/.exec(status)?.[1];
      });
    expect(coresOf()).toEqual(CORES.map(String));
    await guests.driver.shareCores(GUEST, [0]);
    expect(coresOf()).toEqual(["0", "0"]);
    // The guest notices nothing but that it is slower.
    expect((await inside()).cpus).toBe(2);
    await guests.driver.resize(GUEST, { size: LARGE, cores: CORES });
    expect(coresOf()).toEqual(CORES.map(String));
  },
  60_000,
);

test.runIf(canHotPlug)(
  "what cannot be is refused by name, and nothing has changed",
  async () => {
    const had = await inside();
    for (const [change, why] of [
      [{ cpuMilli: 3000 }, /at most 2 virtual cpus/],
      [{ memoryBytes: 2048 * MIB }, /./],
      [{ memoryBytes: 500 * MIB }, /whole 128 MiB/],
      [{ diskBytes: 2 * DISK_BYTES }, /a disk keeps its size/],
    ] as const) {
      const resize = guests.driver.resize(GUEST, { size: { ...LARGE, ...change }, cores: CORES });
      await expect(resize).rejects.toMatchObject({ code: "resize-refused" });
      await expect(resize).rejects.toThrow(why);
    }
    expect(await inside()).toEqual(had);
  },
  60_000,
);

test.runIf(canHotPlug)(
  "a guest that takes no notice has not changed, and what it takes late it gives back",
  async () => {
    const had = await inside();
    const socketPath = join(guests.folder, "guests", GUEST, "machine", "qmp.sock");
    const pause = (execute: "stop" | "cont") => qmp(socketPath, [{ execute }], 2000);
    await pause("stop");
    const size = { ...LARGE, memoryBytes: 768 * MIB };
    const resize = guests.driver.resize(GUEST, { size, cores: CORES });
    await expect(resize).rejects.toThrow(/took no notice of memory/);
    await pause("cont");
    expect((await guests.driver.observe(GUEST)).state).toBe("running");
    await guests.driver.resize(GUEST, { size: LARGE, cores: CORES });
    await expect.poll(inside, { timeout: 10_000, interval: 500 }).toEqual(had);
  },
  60_000,
);

test.runIf(canHotPlug)(
  "a running guest shrinks, and its counter does not go backwards",
  async () => {
    const { memoryMib } = await inside();
    await guests.ssh(GUEST, "timeout 1 sh -c 'yes & yes' >/dev/null 2>&1; true");
    const before = await guests.driver.observe(GUEST);
    await guests.driver.resize(GUEST, { size: SMALL, cores: [0] });
    expect(virtualCpuThreads(pid)).toHaveLength(1);
    expect(await inside()).toEqual({ cpus: 1, memoryMib: memoryMib - 256 });
    const after = await guests.driver.observe(GUEST);
    expect(after.processId).toBe(before.processId);
    expect(after.cpuNs).toBeGreaterThanOrEqual(before.cpuNs);
  },
  60_000,
);

test.runIf(canHotPlug)(
  "under emulation nothing comes in after a cpu went out, which is said, until the next start",
  async () => {
    const { accelerator } = await guests.driver.probe();
    const again = guests.driver.resize(GUEST, { size: { ...SMALL, cpuMilli: 2000 }, cores: CORES });
    if (accelerator === "tcg") await expect(again).rejects.toThrow(/restart the guest first/);
    else await guests.driver.resize(GUEST, { size: SMALL, cores: [0] });
    const resize = guests.driver.resize(GUEST, {
      size: { ...SMALL, memoryBytes: 384 * MIB },
      cores: [0],
    });
    if (accelerator === "tcg") await expect(resize).rejects.toThrow(/restart the guest first/);
    else expect(await resize).toEqual({ how: "live" });
    expect((await inside()).cpus).toBe(1);
  },
  60_000,
);

test("a guest that does not run is not resized but started with its size", async () => {
  await guests.driver.stop(GUEST, 3000);
  const resize = guests.driver.resize(GUEST, { size: LARGE, cores: CORES });
  await expect(resize).rejects.toMatchObject({ code: "resize-refused" });
  const spec = guests.spec({ guestId: GUEST, size: LARGE, cores: CORES });
  await guests.driver.boot(spec);
  await guests.untilAnswers(GUEST);
  expect((await inside()).cpus).toBe(2);
}, 60_000);
