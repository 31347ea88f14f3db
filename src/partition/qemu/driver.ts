import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { DriverFacts, GuestSpec, PartitionDriver } from "../driver.ts";
import { sshGreets } from "./banner.ts";
import { bootGuest, type Emulator } from "./boot.ts";
import { drainConsole, readConsoleLog } from "./console.ts";
import { type ControlGroups, findControlGroups } from "./control-group/find.ts";
import { hasCode, named } from "./errno.ts";
import { guestFolder, isGuestId } from "./guest-folder.ts";
import { findInternet, type Internet, resolversFor } from "./internet/find.ts";
import { createTending } from "./internet/tend.ts";
import { observeGuest } from "./observe.ts";
import { readOutbox } from "./outbox.ts";
import { pin } from "./pin.ts";
import { prepareGuest } from "./prepare.ts";
import { defaultBinary, probeQemu } from "./probe.ts";
import { readRecord, writeRecord } from "./record.ts";
import { resizeGuest } from "./resize/resize.ts";
import { findRunning, guestIdOfProcess, guestProcesses } from "./running.ts";
import { stopGuest } from "./stop.ts";
import { Turns } from "./turns.ts";
import { wipeGuest } from "./wipe.ts";

export interface QemuDriverOptions {
  /** Keeps the guests' files. Its real path also names this driver among others on the computer. */
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly qemuBinary?: string;
  /** Without it, KVM is tried and used where it works. */
  readonly accelerator?: "kvm" | "tcg";
  /** Without it, they are looked for and tried. */
  readonly controlGroups?: ControlGroups;
  /** Without it, it is tried whether guests can be given the internet. */
  readonly internet?: Internet;
  /** What guests with the internet ask for names; by default the host's own, or public ones. */
  readonly resolvers?: readonly string[];
}

/** Virtual machines run by QEMU, one process each. Nothing is kept in the driver's memory that
 * a new one does not find again: files, and the table of processes. */
export function createQemuDriver(options: QemuDriverOptions): PartitionDriver {
  const folder = resolve(options.folder);
  const { log } = options;
  const qemuBinary = options.qemuBinary ?? defaultBinary();
  const driverTag = createHash("sha256").update(folder).digest("hex").slice(0, 12);
  const turns = new Turns();
  let facts: Promise<DriverFacts> | null = null;
  let found: Promise<ControlGroups> | null = null;
  let outside: Promise<Internet> | null = null;

  const groups = () => {
    found ??= options.controlGroups ? Promise.resolve(options.controlGroups) : findControlGroups();
    return found;
  };

  const internet = async () => {
    if (options.internet) return options.internet;
    outside ??= findInternet(driverTag);
    const answer = await outside;
    // What is in the way may be seen to, or a route come, before the next question.
    if (!answer.works) outside = null;
    return answer;
  };

  const probe = () => {
    facts ??= Promise.all([groups(), internet()])
      .then(([controlGroups, works]) =>
        probeQemu({
          ...{ folder, qemuBinary, accelerator: options.accelerator },
          ...{ controlGroups, internet: works },
        }),
      )
      .catch((error) => {
        // QEMU may be installed before the next question.
        facts = null;
        throw named(error);
      });
    return facts;
  };
  const emulator = async (): Promise<Emulator> => {
    const { accelerator, architecture } = await probe();
    const works = { controlGroups: await groups(), internet: await internet() };
    return { binary: qemuBinary, accelerator, architecture, driverTag, ...works, log };
  };
  const inTurn = <T>(guestId: string, operation: () => Promise<T>): Promise<T> =>
    turns.take(guestId, operation).catch((error: unknown) => {
      throw named(error);
    });
  const pathsOf = (guestId: string) => guestFolder(folder, guestId);
  const observe = (guestId: string) => observeGuest(pathsOf(guestId), driverTag, log);
  const prepare = (spec: GuestSpec) =>
    prepareGuest(pathsOf(spec.guestId), spec, resolversFor(options.resolvers));
  const tending = createTending({ driverTag, log, turns });

  return {
    name: "qemu",
    probe,
    observe: async (guestId) => {
      await tending.tend(pathsOf(guestId));
      return observe(guestId);
    },
    prepare: (spec) =>
      inTurn(spec.guestId, async () => {
        const paths = pathsOf(spec.guestId);
        // The files of a live guest are in use and were complete when it started.
        if ((await findRunning(paths, driverTag)) === null) await prepare(spec);
      }),
    boot: (spec: GuestSpec) =>
      inTurn(spec.guestId, async () => {
        const paths = pathsOf(spec.guestId);
        const qemu = await emulator();
        const before = await observe(spec.guestId);
        // A guest that powered itself off left its process; it is not one that runs.
        if (before.state === "exited") await stopGuest(paths, driverTag, 0, log);
        if (before.state !== "running") await prepare(spec);
        await bootGuest(paths, spec, qemu);
        return observe(spec.guestId);
      }),
    answers: async (guestId, timeoutMs) => {
      const paths = pathsOf(guestId);
      const record = await readRecord(paths);
      const running = await findRunning(paths, driverTag);
      if (record === null || running === null) return false;
      return sshGreets(record.address, running.port, timeoutMs);
    },
    stop: (guestId, graceMs) =>
      inTurn(guestId, () => stopGuest(pathsOf(guestId), driverTag, graceMs, log)),
    resize: (guestId, to) =>
      inTurn(guestId, async () => resizeGuest(pathsOf(guestId), await emulator(), to)),
    moveToCores: (guestId, cores) =>
      inTurn(guestId, async () => {
        const paths = pathsOf(guestId);
        const running = await findRunning(paths, driverTag);
        const record = await readRecord(paths);
        if (running === null || record?.cpuMode !== "shared") return;
        await pin(running.process.pid, { cpuMode: "shared", cores });
        await writeRecord(paths, { ...record, cores });
      }),
    shareCores: (guestId, cores) =>
      inTurn(guestId, async () => {
        const paths = pathsOf(guestId);
        const running = await findRunning(paths, driverTag);
        const record = await readRecord(paths);
        if (running === null || record === null) return;
        await pin(running.process.pid, { cpuMode: "shared", cores });
        await writeRecord(paths, { ...record, cores });
      }),
    wipe: (guestId) => inTurn(guestId, () => wipeGuest(pathsOf(guestId), driverTag)),
    list: () => listGuests(folder, driverTag),
    readOutbox: (guestId, offset, bytes) => readOutbox(pathsOf(guestId), offset, bytes),
    console: (guestId) =>
      inTurn(guestId, async () => {
        const paths = pathsOf(guestId);
        if ((await findRunning(paths, driverTag)) !== null) await drainConsole(paths);
        return (await readConsoleLog(paths)).toString();
      }),
  };
}

async function listGuests(folder: string, driverTag: string): Promise<string[]> {
  const guests = new Set<string>();
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
  for (const entry of entries) {
    if (entry.isDirectory() && isGuestId(entry.name)) guests.add(entry.name);
  }
  for (const { pid } of guestProcesses(driverTag)) {
    const guestId = guestIdOfProcess(pid, driverTag);
    if (guestId !== null) guests.add(guestId);
  }
  return [...guests].sort();
}
