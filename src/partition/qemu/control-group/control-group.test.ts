import { expect, test } from "vitest";
import { judge } from "./find.ts";
import { placesOf } from "./place.ts";
import { COUNTERS, processMemoryBytes, settingsOf } from "./settings.ts";

const V1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio`;
const V2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
const LIMITS = { cpuMilli: 500, cpuCapMilli: 500, memoryBytes: 256 * 2 ** 20 };

test("version 1: groups are made below the agent's own, once where controllers share a mount", () => {
  expect(placesOf(V1, "4:memory:/box\n1:cpu,cpuacct:/\n0::/")).toEqual([
    { version: 1, controllers: ["cpu", "cpuacct"], folder: "/sys/fs/cgroup/cpu,cpuacct" },
    { version: 1, controllers: ["memory"], folder: "/sys/fs/cgroup/memory/box" },
  ]);
});

test("version 2: groups are made beside the agent's own, which has processes", () => {
  const at = (own: string) => placesOf(V2, own).map(({ folder }) => folder);
  expect(at("0::/system.slice/sublet.service\n")).toEqual(["/sys/fs/cgroup/system.slice"]);
  expect(at("0::/one")).toEqual(["/sys/fs/cgroup"]);
  expect(at("0::/")).toEqual(["/sys/fs/cgroup"]);
});

test("a mount that shows another part of the hierarchy is left alone", () => {
  const mount = V2.replace("0:30 / ", "0:30 /docker/x ");
  expect(placesOf(mount, "0::/docker/x/agent")[0]?.folder).toBe("/sys/fs/cgroup");
  expect(placesOf(mount, "0::/elsewhere/agent")).toEqual([]);
});

test("half a core is a weight by right, and a cap of half of each period", () => {
  const one = settingsOf({ version: 1, controllers: ["cpu", "cpuacct"] }, LIMITS);
  expect(one).toEqual([
    { file: "cpu.shares", text: "512" },
    { file: "cpu.cfs_period_us", text: "100000" },
    { file: "cpu.cfs_quota_us", text: "50000" },
  ]);
  const two = settingsOf({ version: 2, controllers: ["cpu"] }, LIMITS);
  expect(two).toEqual([
    { file: "cpu.weight", text: "50" },
    { file: "cpu.max", text: "50000 100000" },
  ]);
});

test("a dedicated guest has no cap but its cores", () => {
  const limits = { ...LIMITS, cpuCapMilli: null };
  const texts = ([1, 2] as const).flatMap((version) => {
    const settings = settingsOf({ version, controllers: ["cpu"] }, limits);
    return settings.map(({ text }) => text);
  });
  expect(texts).toEqual(["512", "100000", "-1", "50", "max 100000"]);
});

test("the process may take more memory than its guest, by a bound", () => {
  const bytes = processMemoryBytes(LIMITS);
  expect(bytes).toBeGreaterThan(LIMITS.memoryBytes);
  expect(bytes).toBeLessThan(LIMITS.memoryBytes + 512 * 2 ** 20);
  expect(bytes % 4096).toBe(0);
  const [setting] = settingsOf({ version: 2, controllers: ["memory"] }, LIMITS);
  expect(setting).toEqual({ file: "memory.max", text: `${bytes}` });
});

test("both versions count nanoseconds", () => {
  expect(COUNTERS[1].cpuNs("1423443784\n")).toBe(1_423_443_784n);
  expect(COUNTERS[2].cpuNs("usage_usec 1423\nuser_usec 9\n")).toBe(1_423_000n);
});

test("what works and what does not is told in one sentence", () => {
  const cpu = { version: 1, controllers: ["cpu"], folder: "/c" } as const;
  expect(judge([cpu], ["memory: EACCES: permission denied"])).toMatchObject({
    ...{ sharedCpu: true, memoryLimit: false },
    reason: "works: cpu (v1); memory: EACCES: permission denied",
  });
  expect(judge([], []).reason).toBe("no control group can be made");
});
