import {
  DriverError,
  type DriverErrorCode,
  type GuestObservation,
  type GuestSpec,
  type PartitionDriver,
} from "../driver.ts";

/** What a test may do to the guests behind the agent's back. */
export interface MemoryDriver extends PartitionDriver {
  /** Every guest that was prepared and not wiped, as the last call left it. */
  readonly guests: ReadonlyMap<string, MemoryGuest>;
  /** How often each method was called with which guest: `boot lease_1`. */
  readonly calls: readonly string[];
  /** The next calls of the method fail, `times` of them. */
  failNext(method: FailingMethod, code: DriverErrorCode, times?: number): void;
  /** The guest ends as if by itself: `guest-powered-off`, `guest-crashed`, `process-died`. */
  end(guestId: string, exitReason: string): void;
  /** Whether the guest's SSH answers from now on. */
  setAnswers(guestId: string, answers: boolean): void;
  /** All that the guest has written to its outbox. */
  writeOutbox(guestId: string, content: Buffer): void;
}

export type FailingMethod = "prepare" | "boot" | "resize" | "stop" | "wipe";

export interface MemoryGuest {
  readonly spec: GuestSpec;
  readonly observation: GuestObservation;
  readonly answers: boolean;
}

export interface MemoryDriverOptions {
  /**
   * Nanoseconds that a guest's virtual cpus have run since `processId` began, asked whenever a
   * running guest is observed. Without it guests use nothing.
   */
  readonly cpuNs?: (spec: GuestSpec, processId: string) => bigint;
  /** Where a guest is said to listen: a test may listen there in its place. */
  readonly port?: () => number;
}

/**
 * A driver for tests and benchmarks of scale: its guests are records, and nothing that a user runs
 * uses it. The object stands for the computer: hand the same one to a second agent, and that agent
 * finds the guests again as after a restart.
 */
export function createMemoryDriver(options: MemoryDriverOptions = {}): MemoryDriver {
  const guests = new Map<string, MemoryGuest>();
  const calls: string[] = [];
  const outboxes = new Map<string, Buffer>();
  const failures = new Map<FailingMethod, { code: DriverErrorCode; times: number }>();
  let lives = 0;

  const called = (method: FailingMethod, guestId: string) => {
    calls.push(`${method} ${guestId}`);
    const failure = failures.get(method);
    if (failure === undefined || failure.times === 0) return;
    failure.times -= 1;
    throw new DriverError(failure.code, `${method} was made to fail by the test`);
  };
  const refresh = (guestId: string): MemoryGuest | null => {
    const guest = guests.get(guestId);
    if (guest === undefined) return null;
    const { spec, observation } = guest;
    if (observation.state !== "running" || options.cpuNs === undefined) return guest;
    const cpuNs = options.cpuNs(spec, observation.processId ?? "");
    return change(guestId, guest, cpuNs > observation.cpuNs ? { cpuNs } : {});
  };
  const change = (
    guestId: string,
    guest: MemoryGuest,
    seen: Partial<GuestObservation>,
    answers = guest.answers,
  ): MemoryGuest => {
    const changed = { ...guest, answers, observation: { ...guest.observation, ...seen } };
    guests.set(guestId, changed);
    return changed;
  };
  const ended = (guestId: string, exitReason: string) => {
    const guest = refresh(guestId);
    if (guest?.observation.state !== "running") return;
    change(guestId, guest, { state: "exited", exitReason }, false);
  };
  const prepared = (spec: GuestSpec): MemoryGuest => {
    const found = guests.get(spec.guestId);
    if (found !== undefined) return found;
    const guest = { spec, observation: notStarted(spec.guestId), answers: false };
    guests.set(spec.guestId, guest);
    return guest;
  };

  return {
    name: "memory",
    guests,
    calls,
    failNext: (method, code, times = 1) => failures.set(method, { code, times }),
    end: ended,
    setAnswers: (guestId, answers) => {
      const guest = guests.get(guestId);
      if (guest !== undefined) change(guestId, guest, {}, answers);
    },
    probe: async () => ({
      accelerator: "tcg",
      acceleratorReason: "guests of this driver are records in memory",
      architecture: "x86_64",
      version: "memory",
      sharedCpu: true,
      memoryLimit: false,
      controlGroupsReason: "guests of this driver are records in memory",
      internet: false,
      internetReason: "guests of this driver are records in memory",
    }),
    prepare: async (spec) => {
      called("prepare", spec.guestId);
      prepared(spec);
    },
    boot: async (spec) => {
      called("boot", spec.guestId);
      const guest = prepared(spec);
      if (guest.observation.state === "running") return guest.observation;
      lives += 1;
      const given = options.port?.() ?? FIRST_PORT + lives;
      const port = spec.access.port || (guest.observation.port ?? given);
      const processId = `memory:${lives}:0`;
      const seen = { state: "running", processId, port, cpuNs: 0n, exitReason: null } as const;
      // What was plugged into its last life is gone.
      return change(spec.guestId, { ...guest, spec }, seen, true).observation;
    },
    observe: async (guestId) => refresh(guestId)?.observation ?? absent(guestId),
    answers: async (guestId) => guests.get(guestId)?.answers ?? false,
    stop: async (guestId) => {
      called("stop", guestId);
      ended(guestId, "stopped");
    },
    wipe: async (guestId) => {
      called("wipe", guestId);
      const guest = guests.get(guestId);
      if (guest === undefined) return { files: 0, bytes: 0 };
      if (guest.observation.state === "running") {
        throw new DriverError("guest-alive", `guest ${guestId} runs; stop it first`);
      }
      guests.delete(guestId);
      return { files: 1, bytes: guest.spec.size.diskBytes };
    },
    resize: async (guestId, { size, cores }) => {
      called("resize", guestId);
      const guest = guests.get(guestId);
      if (guest?.observation.state !== "running") {
        throw new DriverError("resize-refused", `guest ${guestId} does not run`);
      }
      guests.set(guestId, { ...guest, spec: { ...guest.spec, size, cores } });
      return { how: "live" };
    },
    moveToCores: async (guestId, cores) => {
      calls.push(`moveToCores ${guestId}`);
      const guest = guests.get(guestId);
      if (guest?.spec.cpuMode !== "shared") return;
      guests.set(guestId, { ...guest, spec: { ...guest.spec, cores } });
    },
    shareCores: async (guestId, cores) => {
      calls.push(`shareCores ${guestId}`);
      const guest = guests.get(guestId);
      if (guest?.observation.state !== "running") return;
      guests.set(guestId, { ...guest, spec: { ...guest.spec, cores } });
    },
    list: async () => [...guests.keys()].sort(),
    writeOutbox: (guestId, content) => void outboxes.set(guestId, content),
    readOutbox: async (guestId, offset, bytes) => {
      if (guests.get(guestId)?.spec.outboxBytes === undefined) return null;
      const content = outboxes.get(guestId) ?? Buffer.alloc(0);
      return content.subarray(offset, offset + bytes);
    },
    console: async (guestId) => `console of ${guestId}\n`,
  };
}

const FIRST_PORT = 40_000;

function absent(guestId: string): GuestObservation {
  return { guestId, state: "absent", processId: null, port: null, cpuNs: 0n, exitReason: null };
}

function notStarted(guestId: string): GuestObservation {
  return { ...absent(guestId), state: "exited", exitReason: "never-started" };
}
