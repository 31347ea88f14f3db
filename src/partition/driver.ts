import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";

/**
 * What controls the partitions of a host. The agent knows only this interface; `qemu/` runs
 * virtual machines, `memory/` is a driver for tests and scale benchmarks and says so.
 *
 * A guest is named by its `guestId` (the lease's id). Every method may be called again after a
 * crash at any point and finds what the earlier call left: the guest runs in a session of its own
 * and outlives the agent.
 */
export interface PartitionDriver {
  readonly name: "qemu" | "memory";

  /** What this computer can really do, found by trying it. May take seconds; asked once per start. */
  probe(): Promise<DriverFacts>;

  /** Makes the guest's disk and seed volume. Finds them again when they exist. */
  prepare(spec: GuestSpec): Promise<void>;

  /** Starts the guest unless it runs already. Throws DriverError with a code a person can act on. */
  boot(spec: GuestSpec): Promise<GuestObservation>;

  /** What is true of the guest now. Never throws for a guest that is gone: that is `absent`. */
  observe(guestId: string): Promise<GuestObservation>;

  /** True when the promised way in answers: an SSH server greets on the guest's port. */
  answers(guestId: string, timeoutMs: number): Promise<boolean>;

  /**
   * Changes the size of a running guest, with the cores for it. Throws `resize-refused`, which says
   * why, where the guest or its machine cannot: then it has what it had.
   */
  resize(
    guestId: string,
    to: { readonly size: Size; readonly cores: readonly number[] },
  ): Promise<Resized>;

  /** Moves a running shared guest to other cores, when the pool has changed. Does nothing to others. */
  moveToCores(guestId: string, cores: readonly number[]): Promise<void>;

  /**
   * All virtual cpus of a running guest share these cores from now on, whatever it has: how a core
   * is freed that the guest does not give back. Does nothing when it does not run.
   */
  shareCores(guestId: string, cores: readonly number[]): Promise<void>;

  /** Asks the guest to power off, then ends it after `graceMs`. Returns when no process is left. */
  stop(guestId: string, graceMs: number): Promise<void>;

  /** Removes every file of the guest. Refuses (throws) while a process of it is alive. */
  wipe(guestId: string): Promise<WipeEvidence>;

  /** Every guest that has a process or a file on this host. */
  list(): Promise<string[]>;

  /**
   * A part of what the guest wrote to its outbox, also after its stop and until its wipe; null where
   * it has none. The guest's own bytes: nothing of them is to be believed.
   */
  readOutbox(guestId: string, offset: number, bytes: number): Promise<Buffer | null>;

  /** The end of what the guest wrote to its serial console: the guest's own bytes, as text. */
  console(guestId: string): Promise<string>;
}

export interface DriverFacts {
  readonly accelerator: "kvm" | "tcg";
  /** Why not KVM, or how it was proven. */
  readonly acceleratorReason: string;
  readonly architecture: "x86_64" | "aarch64";
  readonly version: string;
  /** A guest can be held to a part of the pool: shared cpu, and fractions of a core. */
  readonly sharedCpu: boolean;
  /** The host's kernel holds a guest's process to its memory. */
  readonly memoryLimit: boolean;
  /** What of control groups works here, or why not. */
  readonly controlGroupsReason: string;
  /** A guest can be let out to public addresses, and kept from all others. */
  readonly internet: boolean;
  /** How that was proven, or why not and what to do. */
  readonly internetReason: string;
}

/** In what way: without a restart. */
export interface Resized {
  readonly how: "live";
}

export interface GuestSpec {
  readonly guestId: string;
  readonly hostname: string;
  readonly size: Size;
  /** What it may be resized to while it runs. */
  readonly maxSize: Size;
  readonly cpuMode: CpuMode;
  /**
   * Dedicated: cores of the host that are this guest's alone; its virtual cpus are pinned to them,
   * one each. Shared: the pool, on which it may use `size.cpuMilli` and no more.
   */
  readonly cores: readonly number[];
  /** The unprivileged user id that the guest's process runs as; ignored when the agent is not root. */
  readonly uid: number;
  /** It may reach public addresses, and nothing else; left out: nothing at all. */
  readonly internet?: boolean;
  readonly image: GuestImage;
  /** A disk beside its own, for what is to outlive it. Left out: none. */
  readonly outboxBytes?: number;
  readonly access: {
    /** Where the host listens for the client, e.g. 127.0.0.1. */
    readonly address: string;
    /** Chosen by the driver when 0; what was chosen is in the observation. */
    readonly port: number;
    readonly user: string;
    /** One line in authorized_keys form. */
    readonly authorizedKey: string;
    /** The guest's SSH host key made for this lease, OpenSSH private key text. */
    readonly hostKeyPrivate: string;
  };
}

/** What is booted: a kernel that the host loads, or the boot loader on the disk, by firmware. */
export type GuestImage = KernelImage | DiskImage;

interface Seeded {
  /** Who reads the seed volume; `sublet`, where left out. */
  readonly seed?: "sublet" | "nocloud";
}

export interface KernelImage extends Seeded {
  readonly kernelPath: string;
  readonly initramfsPath: string;
  /** Appended to the driver's own kernel command line. */
  readonly kernelArguments: string;
  /** Left out: the guest's disk is empty, and for data. */
  readonly rootDisk?: RootDisk;
}

export interface DiskImage extends Seeded {
  readonly rootDisk: RootDisk;
}

/** The file that the guest's own disk begins as; many guests may share it, nobody writes to it. */
export interface RootDisk {
  readonly path: string;
  readonly format: "qcow2" | "raw";
}

export type GuestState = "absent" | "running" | "exited";

export interface GuestObservation {
  readonly guestId: string;
  readonly state: GuestState;
  /** Names one life of the guest's process: another value means that counters began again. */
  readonly processId: string | null;
  readonly port: number | null;
  /**
   * Nanoseconds on the host's cpus since the process began: of the whole process where a control
   * group counts them, else of its virtual cpus.
   */
  readonly cpuNs: bigint;
  /** Why it is not running, where that is known. */
  readonly exitReason: string | null;
}

export interface WipeEvidence {
  readonly files: number;
  readonly bytes: number;
}

/** A failure of the driver that has a name. `message` says what a person can do about it. */
export class DriverError extends Error {
  readonly code: DriverErrorCode;
  constructor(code: DriverErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DriverError";
    this.code = code;
  }
}

export type DriverErrorCode =
  | "qemu-missing"
  | "tool-missing"
  | "boot-failed"
  | "port-taken"
  | "guest-alive"
  | "disk-full"
  | "image-too-big"
  | "disk-references-files"
  | "disk-unreadable"
  | "unsupported"
  | "fractions-unsupported"
  | "internet-unsupported"
  | "resize-refused";
