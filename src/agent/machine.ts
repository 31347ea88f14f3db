import { readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { parseCoreList } from "./core-list.ts";

/** What this computer has, as its kernel says. */
export interface Machine {
  /** Those that this process may run on. */
  readonly cores: readonly number[];
  readonly memoryBytes: number;
  readonly memoryAvailableBytes: number;
  /** Of the file system that holds the data folder. */
  readonly diskBytes: number;
  readonly diskAvailableBytes: number;
  readonly kernel: string;
  readonly cpuModel: string;
}

export function readMachine(dataFolder: string): Machine {
  const status = readFileSync("/proc/self/status", "utf8");
  const memory = readFileSync("/proc/meminfo", "utf8");
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  const disk = statfsSync(dataFolder);
  return {
    cores: parseCoreList(fieldOf(status, "Cpus_allowed_list")),
    memoryBytes: kibibytesOf(memory, "MemTotal"),
    memoryAvailableBytes: kibibytesOf(memory, "MemAvailable"),
    diskBytes: disk.blocks * disk.bsize,
    diskAvailableBytes: disk.bavail * disk.bsize,
    kernel: release(),
    // ARM's kernel names no model: its part number is the nearest to one.
    cpuModel: /^(?:model name|CPU part)\s*:\s*(.+)$/m.exec(cpu)?.[1] ?? "unknown",
  };
}

function kibibytesOf(text: string, name: string): number {
  return Number.parseInt(fieldOf(text, name), 10) * 1024;
}

function fieldOf(text: string, name: string): string {
  const match = new RegExp(`^${name}:\\s*(.+)$`, "m").exec(text);
  if (match?.[1] === undefined) throw new Error(`the kernel does not tell ${name}`);
  return match[1];
}
