import type { BillId, DeliveryId, PartyId, TargetId } from "../../unit/id.ts";

/** Where a party wants its bills. */
export const TARGET_KINDS = ["webhook", "mail"] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

export interface Named {
  readonly id: PartyId;
  readonly name: string;
}

export interface DeliveryTarget {
  readonly targetId: TargetId;
  readonly party: Named;
  /** The provider that set it for its customer, of whose own bills alone it is; null for all bills. */
  readonly seller: Named | null;
  readonly kind: TargetKind;
  readonly address: string;
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
  readonly disabledReason: string | null;
}

/**
 * `queued`: it is due at `dueAt`; every attempt that fails puts that off, until it is `failed` or
 * `delivered`. Out of both a person can have it repeated, which makes it `queued` again.
 */
export const DELIVERY_STATES = ["queued", "delivered", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One bill for one target. Its id is the message's own id, the same at every attempt. */
export interface Delivery {
  readonly deliveryId: DeliveryId;
  readonly billId: BillId;
  readonly target: DeliveryTarget;
  readonly state: DeliveryState;
  readonly queuedAt: Date;
  readonly dueAt: Date;
  readonly settledAt: Date | null;
  readonly attempts: number;
  readonly failure: string | null;
}

/** How one attempt ended. */
export type Outcome =
  | { readonly outcome: "delivered"; readonly status: number | null; readonly reply: string }
  | {
      readonly outcome: "failed";
      readonly status: number | null;
      readonly reply: string;
      /** `retry`: later again; `give-up`: this message is refused for good; `gone`: so is the target. */
      readonly next: "retry" | "give-up" | "gone";
    };

export interface Attempt {
  readonly number: number;
  readonly at: Date;
  readonly outcome: "delivered" | "failed";
  readonly status: number | null;
  readonly reply: string;
}

/** A receiver's words are kept up to here: enough to see what it means. */
export const REPLY_CHARACTERS_MAX = 300;

/** One line of what a stranger said. */
export function cutReply(text: string): string {
  // Control characters would do something to whoever lists them.
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
  return line.length <= REPLY_CHARACTERS_MAX ? line : `${line.slice(0, REPLY_CHARACTERS_MAX - 1)}…`;
}

/** What a bill is when it travels: for programs, for people, and for whoever checks it. */
export interface DeliveredBill {
  readonly billId: BillId;
  readonly closedAt: string;
  /** `12.34 EUR`. */
  readonly total: string;
  /** Of the webhook's `data`. */
  readonly summary: Readonly<Record<string, unknown>>;
  readonly statement: string;
  /** As `sublet bill verify` reads it. */
  readonly evidence: unknown;
}
