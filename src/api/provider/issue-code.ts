import type { Kysely } from "kysely";
import { ZodError, z } from "zod";
import { operatorFeeOf } from "../../billing/fee-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { capacityRequestSchema } from "../../enablement/capacity/card.ts";
import { newClaimNumber } from "../../enablement/capacity/claim-number.ts";
import {
  findCode,
  insertCode,
  listCapacityTerms,
  nextSequence,
  type StoredCode,
} from "../../enablement/capacity/code-store.ts";
import { issueCode as issue } from "../../enablement/capacity/issue-code.ts";
import { ensureProviderKeys } from "../../enablement/capacity/provider-key-store.ts";
import {
  getCapacityRequest,
  insertCapacityRequest,
  type StoredRequest,
  settleCapacityRequest,
} from "../../enablement/capacity/request-store.ts";
import { isWholeQuantity, quantityIn } from "../../enablement/capacity/resource.ts";
import type { CapacityTerms } from "../../enablement/capacity/terms.ts";
import { findHostKey } from "../../host/key-store.ts";
import { type Host, lockHost } from "../../host/store.ts";
import { keySha256 } from "../../party/key.ts";
import { getParty, type Party } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { claimedKid, unwrapPasted, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import type { Handler } from "../handler.ts";
import { viewCodes } from "./view.ts";

/** How long a claim number can be typed. */
const CLAIM_HOURS = 7 * 24;

/** The caller makes the code's id: asked twice, there is one code. */
export const issueCode: Handler<"issueCode"> = async (context, { caller, body }) => {
  const now = context.clock.now();
  const { codeId } = body;
  const claimNumber = newClaimNumber();
  return transaction(context.db, async (tx) => {
    const request = await requestOf(tx, caller, body.request, now);
    const host = await lockHost(tx, request.hostId);
    const before = await findCode(tx, codeId);
    if (before) return answer(tx, sameRequest(before, request), null);
    if (request.state !== "open") {
      throw refusal("request-settled", { requestId: request.requestId, state: request.state });
    }
    refuseImpossible(host, request);
    const customer = await getParty(tx, host.lenderPartyId);
    const keys = await ensureProviderKeys(tx, caller.partyId, now);
    const issued = issueOrRefuse({
      ...{ codeId, wanted: request, requestId: request.requestId, now },
      provider: { id: caller.partyId, name: caller.name },
      customer: { id: customer.partyId, name: customer.name },
      sequence: await nextSequence(tx, caller.partyId, host.hostId),
      terms: { ...(await termsOf(tx, caller, request)), ...body.terms } as CapacityTerms,
      market: context.terms,
      operatorFeePpm: await operatorFeeOf(tx, caller.partyId),
      key: keys.current,
    });
    const expiresAt = new Date(now.getTime() + CLAIM_HOURS * 3_600_000);
    const claim = { sha256: keySha256(claimNumber), expiresAt };
    await insertCode(tx, { ...issued, now }, claim);
    await settleCapacityRequest(tx, request.requestId, "issued", now);
    const stored = await findCode(tx, codeId);
    if (!stored) throw new Error(`${codeId} was not found again`);
    return answer(tx, stored, claimNumber);
  });
};

async function answer(tx: Kysely<DB>, stored: StoredCode, claimNumber: string | null) {
  const [code] = await viewCodes(tx, [stored]);
  if (!code) throw new Error(`${stored.codeId} cannot be shown`);
  return { code, payload: stored.code, claimNumber };
}

function sameRequest(before: StoredCode, request: StoredRequest): StoredCode {
  if (before.code.requestId === request.requestId) return before;
  throw refusal("cause-reused", { cause: before.codeId });
}

type Sent = StoredRequest["requestId"] | { readonly requestJws: string };

async function requestOf(
  tx: Kysely<DB>,
  caller: Party,
  sent: Sent,
  now: Date,
): Promise<StoredRequest> {
  if (typeof sent !== "string") return requestFromFile(tx, caller, sent.requestJws, now);
  const request = await getCapacityRequest(tx, sent);
  if (request.providerPartyId === caller.partyId) return request;
  throw refusal("not-found", { what: "capacity request", id: sent });
}

/** Signed by the key of the host that it is for. */
async function requestFromFile(
  tx: Kysely<DB>,
  { partyId: providerPartyId }: Party,
  text: string,
  now: Date,
): Promise<StoredRequest> {
  const requestJws = unwrapPasted(text);
  const key = await findHostKey(tx, claimedKid(requestJws) ?? "");
  const verified = verify({
    jws: requestJws,
    typ: "sublet-capacity-request",
    keys: keyRing(key ? [key.jwk] : []),
    schema: capacityRequestSchema,
  });
  if (!verified.ok) {
    const message =
      verified.code === "unknown-key"
        ? "it is signed by a host that is not known here; register that host by its card first"
        : verified.message;
    throw refusal("signature-refused", { code: verified.code, message });
  }
  const { requestId, hostId, resource, quantity, forSeconds } = verified.payload;
  if (key?.hostId !== hostId) {
    const message = "it is signed by another host than the one that it is for";
    throw refusal("signature-refused", { code: "other-host", message });
  }
  return insertCapacityRequest(tx, {
    ...{ requestId, hostId, resource, quantity, forSeconds, providerPartyId, requestJws },
    createdAt: now,
  });
}

function refuseImpossible(host: Host, { resource, quantity }: StoredRequest): void {
  if (host.removedAt) throw refusal("host-removed", { host: host.name });
  if (host.isRegistered && host.confirmedAt === null) {
    throw refusal("host-unconfirmed", { host: host.name });
  }
  if (!isWholeQuantity(resource, quantity)) throw refusal("capacity-not-whole", { resource });
  const standby = quantityIn(host.standby, resource);
  if (quantity > standby) {
    throw refusal("standby-short", { host: host.name, resource, quantity, standby });
  }
}

async function termsOf(
  tx: Kysely<DB>,
  { partyId, name }: Party,
  { resource }: StoredRequest,
): Promise<CapacityTerms> {
  const all = await listCapacityTerms(tx, partyId);
  const found = all.find((one) => one.resource === resource);
  if (found) return found.terms;
  throw refusal("no-capacity-terms", { provider: name, resource });
}

function issueOrRefuse(input: Parameters<typeof issue>[0]) {
  try {
    return issue(input);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw refusal("invalid-input", { message: z.prettifyError(error) });
  }
}
