import type { Kysely } from "kysely";
import { giveBackPending } from "../../billing/lapse-extensions.ts";
import { lockParty, raiseHold } from "../../billing/ledger-store.ts";
import { attempt } from "../../database/constraint.ts";
import type { DB } from "../../database/types.ts";
import { type Grant, grantSchema, readOwnEndOrder, readOwnGrant } from "../../enablement/grant.ts";
import { orderEnd } from "../../enablement/grant-due.ts";
import type { Host } from "../../host/store.ts";
import { insertLeaseEvent } from "../../lease/event-store.ts";
import {
  checkCalendar,
  costUntil,
  pendingExtension,
  putInForce,
  refusalOf,
} from "../../lease/extend.ts";
import { type Extension, insertExtension } from "../../lease/extension-store.ts";
import { END_REASONS } from "../../lease/state.ts";
import type { Lease } from "../../lease/store.ts";
import {
  type ExtensionAcknowledgement,
  extensionAcknowledgementSchema,
} from "../../partition/signed.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import { newId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import type { Report } from "../contract/agent.ts";
import { verifyFromHost } from "./verify-from-host.ts";

type Of<K extends Report["kind"]> = Extract<Report, { kind: K }>;
interface About<K extends Report["kind"]> {
  readonly lease: Lease;
  readonly report: Of<K>;
  readonly now: Date;
}

/** Why an extension lapses whose lease its host ends without having taken it. */
export const NOT_TAKEN = "lease-ended";

/**
 * The host's signed word that it took an extension (decision 17). While the extension is pending
 * that settles it, whatever the server's clock says. One that lapsed, or that this server forgot, is
 * had back if calendar and funds still allow; else what it adds is not charged and the lease ends.
 */
export async function becomeExtended(
  context: ServerContext,
  tx: Kysely<DB>,
  { host, lease, report, now }: About<"extended"> & { readonly host: Host },
): Promise<void> {
  const { acknowledgementJws, reportId } = report;
  const word = await readAcknowledgement(tx, { host, lease }, acknowledgementJws);
  const extension =
    lease.extensions.find((one) => isAbout(one, word)) ??
    (await rememberExtension(context, tx, lease, { word, report, now }));
  const isPast = lease.period === null || extension.endsAt <= lease.period.end;
  if (extension.state === "in-force" || isPast) return;
  const force = () => putInForce(tx, lease, extension, { acknowledgementJws, reportId, now });
  if (extension.state === "pending") return force();
  try {
    await attempt(tx, async () => {
      await takeAgain(tx, lease, extension);
      await force();
    });
  } catch (error) {
    const refused = refusalOf(error, lease, extension);
    if (!(refused instanceof Refusal)) throw error;
    const detail = { extensionId: extension.extensionId, message: refused.message };
    const event = { leaseId: lease.leaseId, kind: "extension-not-charged", reason: refused.code };
    await insertLeaseEvent(tx, { ...event, detail, reportId, at: now });
    if (lease.state !== "preparing" && lease.state !== "ready") return;
    const issuer = { serverId: context.serverId, key: context.keys.current };
    await orderEnd(tx, issuer, lease, END_REASONS.extensionLapsed, now);
  }
}

/** Whatever the host found wrong with it, the lease goes on to its old end. */
export async function refuseExtension(
  tx: Kysely<DB>,
  { lease, report, now }: About<"extension-refused">,
): Promise<void> {
  const { extensionSha256, reason, message, reportId } = report;
  const pending = pendingExtension(lease);
  if (pending?.grantJws && sha256Hex(pending.grantJws) === extensionSha256) {
    await giveBackPending(tx, lease, { reason, now, reportId });
    return;
  }
  const event = { leaseId: lease.leaseId, kind: "extension-refused", reason };
  await insertLeaseEvent(tx, { ...event, detail: { message }, reportId, at: now });
}

async function readAcknowledgement(
  tx: Kysely<DB>,
  { host, lease }: { readonly host: Host; readonly lease: Lease },
  jws: string,
): Promise<ExtensionAcknowledgement> {
  const signed = { typ: "sublet-extended", jws, schema: extensionAcknowledgementSchema } as const;
  const word = await verifyFromHost(tx, { host, lease }, signed);
  if (word.leaseId === lease.leaseId && word.hostId === host.hostId) return word;
  throw refusal("signature-refused", {
    code: "other-lease",
    message: "the acknowledgement is that of another lease or host",
  });
}

function isAbout({ grantJws, sequence }: Extension, word: ExtensionAcknowledgement): boolean {
  if (grantJws === null || sequence !== word.sequence) return false;
  return readOwnGrant(grantJws).jti === word.grantJti;
}

/** Throws the refusal for which it cannot be had back. Locks: the lease's is held; party, host. */
async function takeAgain(tx: Kysely<DB>, lease: Lease, extension: Extension): Promise<void> {
  const { leaseId, clientPartyId: partyId } = lease;
  const isEndedByClient =
    lease.endJws !== null && readOwnEndOrder(lease.endJws).reason === END_REASONS.byClient;
  if (lease.period === null || isEndedByClient) {
    throw refusal("lease-over", { leaseId, state: lease.state });
  }
  await lockParty(tx, partyId);
  await checkCalendar(tx, lease, extension);
  await raiseHold(tx, { leaseId, partyId, byMicros: extension.additionalMicros });
}

/**
 * A database that was set back does not know what it granted; its own signature on the code that
 * the host shows proves it. Refuses: signature-refused, extension-unknown.
 */
async function rememberExtension(
  context: ServerContext,
  tx: Kysely<DB>,
  lease: Lease,
  { word, report, now }: { word: ExtensionAcknowledgement; report: Of<"extended">; now: Date },
): Promise<Extension> {
  const grant = readCode(context, report.extensionJws);
  const { sequence } = word;
  const isKnown = lease.extensions.some((one) => one.sequence === sequence);
  const endsAt = new Date(grant.period.end);
  if (isKnown || !lease.period || endsAt <= lease.period.end || !isCodeOf(grant, lease, word)) {
    throw refusal("extension-unknown", { leaseId: lease.leaseId, sequence });
  }
  const extension: Extension = {
    extensionId: newId("extension", now.getTime()),
    requestSha256: sha256Hex(report.extensionJws),
    state: "lapsed",
    sequence,
    grantJws: report.extensionJws,
    endsBefore: lease.period.end,
    endsAt,
    ...costUntil(lease, endsAt),
    reason: "forgotten",
    createdAt: now,
    settledAt: now,
  };
  await insertExtension(tx, lease.leaseId, extension);
  return extension;
}

function readCode({ keys }: ServerContext, jws: string): Grant {
  const code = verify({ jws, typ: "sublet-grant", keys: keyRing(keys.all), schema: grantSchema });
  if (code.ok) return code.payload;
  throw refusal("signature-refused", { code: code.code, message: code.message });
}

function isCodeOf(grant: Grant, lease: Lease, word: ExtensionAcknowledgement): boolean {
  return (
    grant.leaseId === lease.leaseId &&
    grant.aud === lease.hostId &&
    grant.jti === word.grantJti &&
    grant.sequence === word.sequence
  );
}
