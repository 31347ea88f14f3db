/**
 * Why time is not charged, as the records show it. `late`: granted, and not yet there. `no-answer`:
 * metered, and the promised way in did not work. `unwitnessed`: nobody metered it.
 * `beyond-granted`: delivered when the granted time was over.
 */
export const CAUSES = ["late", "no-answer", "unwitnessed", "beyond-granted"] as const;
export type Cause = (typeof CAUSES)[number];

/** An event of the lease that tells why, or until when, it was not delivered. */
export interface DeliveryEvent {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly reason: string | null;
}
