/** What the demo ends with under `--json`, on one line. */
export interface DemoFacts {
  /** Milliseconds. */
  readonly durationsMs: Record<string, number>;
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
