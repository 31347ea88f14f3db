/** What the demo ends with under `--json`, on one line. */
export interface DemoFacts {
  /** Milliseconds. */
  readonly durationsMs: Record<string, number>;
  readonly ids: Record<string, string>;
  readonly leases: readonly {
    readonly leaseId: string;
    /** As read inside the guest. */
    readonly guestOs: string;
    readonly guestKernel: string;
    readonly guestBootId: string;
  }[];
  /** The codes of the two attempts to resize a partition in use. */
  readonly refusals: { readonly server: string; readonly agent: string };
  readonly resultEqual: boolean;
  readonly billTotal: string;
  readonly billTotalMicros: string;
  readonly currency: string;
  readonly verified: boolean;
  /** All that checks the bill elsewhere, relative to the repository; it stays when all else goes. */
  readonly export: string;
}
