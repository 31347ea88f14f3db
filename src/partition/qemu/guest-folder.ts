import { join } from "node:path";
import { DriverError } from "../driver.ts";

/**
 * Where a guest's files lie. Two folders, because the guest's process is not trusted: what the
 * agent believes (`recordPath`) is in a folder of the agent's, and only `machine`, inside it,
 * belongs to the process. The process is started *in* `machine` and names its files relatively,
 * so that no folder above it needs to be open to its user, and a long path fits its socket.
 */
export interface GuestFolder {
  readonly guestId: string;
  readonly folder: string;
  readonly recordPath: string;
  readonly counterPath: string;
  readonly groupPath: string;
  readonly consolePath: string;
  readonly complaintsPath: string;
  readonly machine: string;
}

export function guestFolder(driverFolder: string, guestId: string): GuestFolder {
  if (!isGuestId(guestId)) {
    throw new DriverError("unsupported", `a guest cannot be named ${JSON.stringify(guestId)}`);
  }
  const folder = join(driverFolder, guestId);
  return {
    guestId,
    folder,
    recordPath: join(folder, "guest.json"),
    counterPath: join(folder, "counter.json"),
    groupPath: join(folder, "group.json"),
    consolePath: join(folder, "console.log"),
    complaintsPath: join(folder, "complaints"),
    machine: join(folder, "machine"),
  };
}

/** The id becomes a folder, and a part of QEMU's comma-separated options. */
export function isGuestId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text);
}

/** Names inside `machine`, as QEMU is told them. */
export const MACHINE_FILES = {
  disk: "disk.raw",
  /** The guest's own, over what the image brings. */
  overlay: "disk.qcow2",
  rootDisk: "root",
  outbox: "outbox.raw",
  seed: "seed",
  kernel: "kernel",
  initramfs: "initramfs",
  qmpSocket: "qmp.sock",
} as const;
