import { readClaimNumber } from "../../enablement/capacity/claim-number.ts";
import { type CapacityCode, capacityCodeSchema } from "../../enablement/capacity/code.ts";
import { claimedPayload, unwrapPasted, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { CliError } from "../failure.ts";

/** What was pasted or typed for a code. */
export type Pasted =
  | { readonly kind: "code"; readonly jws: string; readonly code: CapacityCode }
  | { readonly kind: "claim"; readonly number: string };

/** Signed texts begin so: it is how a JSON object begins in base64url. */
const SIGNED = /^eyJ/;
/** Four groups of five, with or without hyphens, and as many slips of the hand as one makes. */
const CLAIM = /^(?:[0-9a-z]\s*-?\s*){12,26}$/i;

/** Whether a word is meant as the thing itself, and not as the name of a file that holds it. */
export function isPasted(word: string): boolean {
  const text = unwrapPasted(word);
  return (SIGNED.test(text) && text.length > 60) || (CLAIM.test(word.trim()) && !/\./.test(word));
}

/**
 * Reads a code or a claim number as it was pasted: white space and line breaks count for nothing.
 * What is wrong is said exactly. The signature is left to the host, which alone has the pinned keys.
 */
export function readPasted(text: string): Pasted {
  const unwrapped = unwrapPasted(text);
  if (unwrapped === "") {
    throw new CliError("code-missing", "nothing was pasted; give the code, its file or its number");
  }
  if (!SIGNED.test(unwrapped) && CLAIM.test(text.trim())) {
    const read = readClaimNumber(text.trim());
    if (read.ok) return { kind: "claim", number: read.number };
    throw new CliError("claim-mistyped", read.message, { typed: text.trim() });
  }
  return { kind: "code", ...readCode(unwrapped) };
}

export function readCode(unwrapped: string): { readonly jws: string; readonly code: CapacityCode } {
  const typ = "sublet-capacity-code";
  const keys = keyRing([]);
  const checked = verify({ jws: unwrapped, typ, keys, schema: capacityCodeSchema });
  // Without keys, a text that is whole in its form comes as far as this.
  if (!checked.ok && checked.code !== "unknown-key") {
    const message = `this is no capacity code, or not all of it: ${checked.message}; paste all of it again`;
    throw new CliError("code-unreadable", message, { reason: checked.code });
  }
  const payload = capacityCodeSchema.safeParse(claimedPayload(unwrapped));
  if (payload.success) return { jws: unwrapped, code: payload.data };
  const where = payload.error.issues[0]?.path.join(".") || "payload";
  throw new CliError(
    "code-unreadable",
    `this code's payload was altered or is of another version (at ${where}); paste all of it again, or ask for the code once more`,
    { reason: "bad-payload", where },
  );
}
