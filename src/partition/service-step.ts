import type { ReturnMeans } from "../enablement/capacity/terms.ts";
import type { CpuMode } from "../unit/schema.ts";

/**
 * A service's states on its host.
 *
 * | state        | means                                             | goes on to                |
 * |--------------|---------------------------------------------------|---------------------------|
 * | `wanted`     | asked for, or granted; nothing is metered          | `in-service`, or away     |
 * | `in-service` | metered; a guest that boots gets it                | `returning`, `unreturned` |
 * | `unreturned` | had to be given back and was not; metered as that  | `returning`, `returned`, or back |
 * | `returning`  | its last reading is stored; it is being taken out  | `returned`, or back       |
 * | `returned`   | over                                              |                           |
 *
 * Every effect is done before it is recorded, and finds what an earlier try of it left.
 */
export const SERVICE_STATES = [
  "wanted",
  "in-service",
  "unreturned",
  "returning",
  "returned",
] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

export interface ServiceFacts {
  readonly state: ServiceState;
  readonly mode: CpuMode;
  /** Of dedicated capacity: a guest runs in the partition. */
  readonly isGuestRunning: boolean;
  /** The guest that runs has it; of shared capacity: any guest has more than its entitlement. */
  readonly isHeld: boolean;
  /** Its lease's guest boots with it, and is not delivered yet. */
  readonly isAwaited: boolean;
  /** Why it is to be given back; null: it is not. */
  readonly returnReason: string | null;
  /** A code that it draws on is valid. */
  readonly isValid: boolean;
  /** Of what was not given back: codes that came since let it go on. */
  readonly isCovered: boolean;
  /** The host took it out; otherwise nobody has it because its guest's life is over. */
  readonly isTakenOut: boolean;
  /** An effect failed a moment ago. */
  readonly isBackingOff: boolean;
  /** How it is brought back when the guest does not give it, in this order. */
  readonly meansInOrder: readonly ReturnMeans[];
  /** The last that was tried. */
  readonly means: ReturnMeans | null;
}

export type ServiceAction =
  | { readonly do: "wait" }
  | { readonly do: "abandon" }
  | { readonly do: "plug" }
  | { readonly do: "begin" }
  | { readonly do: "note-unreturned"; readonly reason: string }
  | { readonly do: "resume" }
  | { readonly do: "retire"; readonly means: ReturnMeans | null }
  | { readonly do: "unplug" }
  | { readonly do: "repin" }
  | { readonly do: "await-boot" }
  | { readonly do: "finish"; readonly means: ReturnMeans | null };

/** What is to be done next for a service. Pure; the same facts give the same answer. */
export function serviceStep(facts: ServiceFacts): ServiceAction {
  const { state, returnReason, isBackingOff } = facts;
  const mayPlug = facts.mode === "dedicated" && facts.isGuestRunning && !facts.isHeld;
  switch (state) {
    case "wanted":
      if (returnReason !== null) return { do: isBackingOff ? "wait" : "abandon" };
      if (facts.isAwaited) return { do: "wait" };
      return mayPlug ? { do: "plug" } : { do: "begin" };
    case "in-service":
      if (returnReason !== null) return { do: "retire", means: null };
      if (!facts.isValid) return { do: "note-unreturned", reason: "validity-end" };
      return mayPlug && !isBackingOff ? { do: "plug" } : { do: "wait" };
    case "unreturned":
      return bringBack(facts);
    case "returning":
      if (!facts.isHeld) return { do: "finish", means: facts.means };
      return isBackingOff ? { do: "wait" } : { do: "unplug" };
    case "returned":
      return { do: "wait" };
  }
}

/** A guest that is off has nothing any more: it boots without. */
function bringBack(facts: ServiceFacts): ServiceAction {
  const { meansInOrder, means } = facts;
  if (!facts.isHeld) return { do: "finish", means: facts.isTakenOut ? means : "next-boot" };
  if (facts.isCovered) return { do: "resume" };
  if (facts.isBackingOff || means === "next-boot") return { do: "wait" };
  // An owner who wants it back has it asked for, whatever the provider's terms begin with.
  if (facts.returnReason === "owner" && means === null) return { do: "retire", means: "ask" };
  const next = meansInOrder[means === null ? 0 : meansInOrder.indexOf(means) + 1];
  if (next === "ask") return { do: "retire", means: "ask" };
  if (next === "repin") return { do: "repin" };
  return { do: next === "next-boot" ? "await-boot" : "wait" };
}
