/** What the demo ends with under `--json`, on one line. With `--only` the other part is left out. */
export interface DemoFacts extends LendingFacts {
  /** Milliseconds. */
  readonly durationsMs: Record<string, number>;
  readonly capacity: StandbyFacts;
}

/** Of the leases. */
export interface LendingFacts {
  readonly ids: Record<string, string>;
  /** Of the leases that ran, in the order in which they were ready. */
  readonly leases: readonly {
    readonly leaseId: string;
    readonly partition: string;
    readonly image: string;
    /** The partition had another size before. */
    readonly recut: boolean;
    /** As read inside the guest. */
    readonly guestOs: string;
    readonly guestKernel: string;
    readonly guestBootId: string;
    readonly billId: string;
    readonly billTotalMicros: string;
    readonly verified: boolean;
  }[];
  /** Both guests answered at the same time. */
  readonly besideEachOther: boolean;
  /** What was asked for first, and could not be. */
  readonly counterOffer: { readonly matches: number; readonly bookedCpuMilli: number };
  /** The booking for later, as it was when it was made, and what became of it. */
  readonly later: { readonly leaseId: string; readonly state: string; readonly outcome: string };
  /** The codes of the two attempts to resize a partition in use. */
  readonly refusals: { readonly server: string; readonly agent: string };
  readonly resultEqual: boolean;
  /** Of all leases. */
  readonly billTotal: string;
  readonly billTotalMicros: string;
  readonly currency: string;
  readonly verified: boolean;
  /** All that checks the bill elsewhere, relative to the repository; it stays when all else goes. */
  readonly export: string;
}

/** Why a scene cannot be played on this computer. */
export interface Skipped {
  readonly skipped: string;
}

/** Of the host with a core in standby. */
export type StandbyFacts = Skipped | PlayedStandby;

export interface PlayedStandby {
  readonly hostId: string;
  readonly requestId: string;
  readonly codeId: string;
  readonly billingPeriodSeconds: number;
  readonly dedicated: DedicatedFacts | Skipped;
  readonly shared: SharedFacts | Skipped;
  /** Every bill follows from the signed records, and what was measured fits. */
  readonly verified: boolean;
  /** All that checks these bills elsewhere, relative to the repository. */
  readonly export: string;
}

export interface DedicatedFacts {
  readonly partition: string;
  readonly serviceId: string;
  /** As counted inside the guest. */
  readonly guestCpus: { readonly before: number; readonly during: number; readonly after: number };
  /** What the timer counted, in core-nanoseconds. */
  readonly usedNs: string;
  readonly amountMicros: string;
  /** More than one when the period ended meanwhile. */
  readonly billIds: readonly string[];
}

export interface SharedFacts {
  readonly serviceId: string;
  readonly lines: readonly SharedLine[];
  /** By partition: what the kernel counted for its guest, read by the demo itself around the service. */
  readonly kernelNs: Readonly<
    Record<string, { readonly atLeast: string; readonly atMost: string }>
  >;
  readonly billIds: readonly string[];
}

/** One partition's use of the pool in one billing period, from the bill. */
export interface SharedLine {
  readonly partition: string;
  readonly periodStart: string;
  /** Core-nanoseconds. */
  readonly usedNs: string;
  readonly thresholdNs: string;
  readonly excessNs: string;
  readonly amountMicros: string;
}
