import { decideAcceptance } from "../../enablement/capacity/accept.ts";
import { type CapacityCode, capacityCodeSchema } from "../../enablement/capacity/code.ts";
import { quantityIn } from "../../enablement/capacity/resource.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { claimedPayload, unwrapPasted, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { AgentContext } from "../context.ts";
import { listPinned } from "../trust/store.ts";
import { writeAct } from "./act-store.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { insertCode, readCode } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { forgetWrong, noteWrong, waitForWrong } from "./wrong-store.ts";

export interface Accepted {
  readonly code: CapacityCode;
  /** It was accepted before, and adds nothing now. */
  readonly isAlreadyApplied: boolean;
}

/**
 * Takes a code, pasted or from a file, into the host's accounts, with its act and at once. Needs no
 * network: the provider's key is pinned here. Refuses what is not for this host by name.
 */
export function acceptCode(context: AgentContext, text: string): Accepted | Refusal {
  return inTransaction(context.db, () => accept(context, text));
}

function accept(context: AgentContext, text: string): Accepted | Refusal {
  const { db, capacity } = context;
  const now = tellCapacityTime(context);
  const hostId = hostIdOf(context);
  const jws = unwrapPasted(text);
  const claimed = readClaims(jws);
  if (claimed.aud !== undefined && claimed.aud !== hostId) {
    const seconds = waitForWrong(context);
    if (seconds !== null) return refusal("codes-too-often", { seconds });
  }
  const signer = listPinned(db).find(({ providerId }) => providerId === claimed.iss);
  if (signer === undefined && claimed.iss !== undefined) {
    return refusal("provider-not-trusted", { providerId: claimed.iss });
  }
  if (signer?.isTrusted === false) {
    return refusal("provider-untrusted", { providerId: signer.providerId, name: signer.name });
  }
  const verified = verify({
    ...{ jws, typ: "sublet-capacity-code" as const, schema: capacityCodeSchema },
    keys: keyRing(signer?.keys ?? []),
  });
  if (!verified.ok) {
    const message = `${verified.message}; copy it again, whole, or ask the provider for it again`;
    return refusal("code-refused", { reason: verified.code, message });
  }
  const code = verified.payload;
  const decision = decideAcceptance({
    ...{ code, jws, hostId, nowMs: now.atMs },
    signerId: signer?.providerId ?? "",
    knownSha256: readCode(db, code.jti)?.sha256 ?? null,
    standby: quantityIn(capacity.standby ?? SIZE_ZERO, code.resource),
  });
  if (!decision.ok && decision.code === "already-applied") {
    return { code, isAlreadyApplied: true };
  }
  if (!decision.ok) {
    if (decision.code === "other-host") noteWrong(context);
    return refusal("code-refused", { reason: decision.code, message: decision.message });
  }
  store(context, now, code, jws);
  return { code, isAlreadyApplied: false };
}

function store(context: AgentContext, now: CapacityNow, code: CapacityCode, jws: string): void {
  const { db, log } = context;
  const codeSha256 = sha256Hex(jws);
  insertCode(db, { code, jws, sha256: codeSha256, acceptedAt: now.at });
  const detail = { codeId: code.jti, codeSha256 };
  writeAct(db, hostIdOf(context), now, { kind: "code-accepted", ...detail });
  forgetWrong(context);
  log.info({ ...detail, resource: code.resource, quantity: code.quantity }, "a code is accepted");
}

/** What the text says of itself before anything is verified: whose keys to look for. */
function readClaims(jws: string): { readonly iss?: string; readonly aud?: string } {
  const payload = claimedPayload(jws);
  if (typeof payload !== "object" || payload === null) return {};
  const { iss, aud } = payload as { iss?: unknown; aud?: unknown };
  return {
    ...(typeof iss === "string" ? { iss: iss.slice(0, 64) } : {}),
    ...(typeof aud === "string" ? { aud } : {}),
  };
}
