import { sha256Hex } from "../../unit/canonical.ts";
import type { CapacityCode } from "./code.ts";

/** In the order in which they are looked for; the envelope was verified before. */
export const ACCEPT_CODES = [
  "other-host",
  "other-provider",
  "code-conflict",
  "already-applied",
  "code-expired",
  "no-standby",
] as const;
export type AcceptCode = (typeof ACCEPT_CODES)[number];
export type Acceptance =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: AcceptCode; readonly message: string };

export interface AcceptInput {
  readonly code: CapacityCode;
  readonly jws: string;
  readonly hostId: string;
  /** The provider whose pinned key has signed it. */
  readonly signerId: string;
  /** sha256 of the text that was accepted under the same id; null: it is new. */
  readonly knownSha256: string | null;
  /** What this host has installed and not enabled, of the code's resource. */
  readonly standby: number;
  readonly nowMs: number;
}

/**
 * May a verified code be taken into the host's accounts? Codes are taken in any order, each once;
 * one whose validity has not begun is taken and waits.
 */
export function decideAcceptance(input: AcceptInput): Acceptance {
  const { code, jws, hostId, signerId, knownSha256, standby, nowMs } = input;
  if (code.aud !== hostId) {
    return no(
      "other-host",
      `it is for ${code.aud}, and this is ${hostId}; ask for one for this host`,
    );
  }
  if (code.iss !== signerId) {
    return no(
      "other-provider",
      `it names ${code.iss} as its provider and is signed by ${signerId}`,
    );
  }
  if (knownSha256 !== null && knownSha256 !== sha256Hex(jws)) {
    return no(
      "code-conflict",
      `${code.jti} was accepted before with other content; ask the provider`,
    );
  }
  if (knownSha256 !== null) {
    return no("already-applied", `${code.jti} was accepted before; it adds nothing a second time`);
  }
  if (Date.parse(code.validity.end) <= nowMs) {
    return no("code-expired", `it was valid until ${code.validity.end}; ask for a new one`);
  }
  if (code.quantity > standby) {
    const has = standby === 0 ? "none" : `${standby}`;
    return no(
      "no-standby",
      `it enables ${code.quantity} of ${code.resource} and this host has ${has} in standby`,
    );
  }
  return { ok: true };
}

function no(code: AcceptCode, message: string): Acceptance {
  return { ok: false, code, message };
}
