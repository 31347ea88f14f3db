import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { parseSchedstat, virtualCpuIndex, virtualCpuNs } from "./cpu-time.ts";
import { commandLine, findByArgument, identify, isAlive, parseStat } from "./process-table.ts";

const STAT = "42 (a) b (c) S 1 42 42 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 777 1000 10";

test("a process is named by its number and its start, whatever it calls itself", () => {
  expect(parseStat(42, STAT)).toEqual({ pid: 42, startTicks: "777" });
});

test("a process that ended and was not yet read is gone", () => {
  expect(parseStat(42, STAT.replace(") S", ") Z"))).toBeNull();
});

test("a later process with the same number is another one", () => {
  const self = identify(process.pid);
  if (self === null) throw new Error("this process has no identity");
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTicks: `${self.startTicks}1` })).toBe(false);
});

test("a live process is found by an argument, and not when it has ended", async () => {
  const mark = `mark-${process.pid}-${Date.now()}`;
  const child = spawn("sleep", ["60"], { argv0: mark });
  await once(child, "spawn");
  const found = () => findByArgument((argument) => argument === mark);
  expect(found()).toEqual([identify(child.pid ?? 0)]);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(found()).toEqual([]);
  expect(commandLine(child.pid ?? 0)).toEqual([]);
  expect(virtualCpuNs(child.pid ?? 0)).toBe(0n);
});

test("virtual cpus are told by their threads' names", () => {
  expect(virtualCpuIndex("CPU 0/TCG\n")).toBe(0);
  expect(virtualCpuIndex("CPU 11/KVM\n")).toBe(11);
  expect(virtualCpuIndex("worker\n")).toBeNull();
});

test("time on a cpu is the first number of schedstat, beyond what a number holds", () => {
  expect(parseSchedstat("12345678901234567890 5 6\n")).toBe(12_345_678_901_234_567_890n);
  expect(() => parseSchedstat("")).toThrow();
});
