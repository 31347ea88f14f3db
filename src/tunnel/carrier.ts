/** How a connection ended for good: it is not tried again. */
export const CLOSED_FOR_GOOD = 4000;
export const CLOSED_DONE = 1000;

/** One connection between two ends; a tunnel may use several, one after another. */
export interface Carrier {
  send(bytes: Buffer): void;
  /** With `CLOSED_DONE`, or `CLOSED_FOR_GOOD` and a reason code. */
  close(code: number, reason: string): void;
}
