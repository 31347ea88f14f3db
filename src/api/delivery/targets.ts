import type { z } from "zod";
import { checkMailAddress, checkWebhookUrl } from "../../billing/delivery/address.ts";
import type { DeliveryTarget } from "../../billing/delivery/delivery.ts";
import { formatSecret, newSecret } from "../../billing/delivery/secret.ts";
import {
  closeTarget,
  countTargets,
  enableTarget,
  findTarget,
  insertTarget,
  listTargets,
  renewSecret,
} from "../../billing/delivery/target-store.ts";
import { lockParty } from "../../billing/ledger-store.ts";
import { type Tx, transaction } from "../../database/transaction.ts";
import { getParty, type Party } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { PartyId, TargetId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import type { Body } from "../contract/contract.ts";
import type { deliveryTargetView } from "../contract/delivery.ts";
import type { Handler } from "../handler.ts";

/** Enough for a book-keeping, its stand-in and a person or two; each is an attempt for every bill. */
const TARGETS_MAX = 10;
/** For a receiver to change over to a new secret. */
const PREVIOUS_SECRET_HOURS = 24;

export const setDeliveryTarget: Handler<"setDeliveryTarget"> = async (
  context,
  { caller, body },
) => {
  const { kind } = body;
  const address = readAddress(context, body);
  const now = context.clock.now();
  const whose = await chooseParty(context, caller, body.party);
  return transaction(context.db, async (tx) => {
    await lockParty(tx, whose.partyId);
    const wanted = { ...whose, kind, address };
    const found = await findTarget(tx, wanted);
    const isNew = found === null || found.isRemoved;
    const secret = isNew && kind === "webhook" ? newSecret() : null;
    if (isNew && (await countTargets(tx, whose)) >= TARGETS_MAX) {
      throw refusal("delivery-targets-too-many", { most: TARGETS_MAX });
    }
    const targetId =
      found?.targetId ??
      (await insertTarget(tx, { ...wanted, secret, setBy: caller.partyId, now }));
    if (found) await enableTarget(tx, targetId, secret);
    const [target] = await listTargets(tx, { partyId: null, targetId });
    if (!target) throw new Error(`${targetId} was just written`);
    return { target: viewTarget(target), secret: secret && formatSecret(secret) };
  });
};

function readAddress(
  { delivery }: Pick<ServerContext, "delivery">,
  { kind, address }: Body<"setDeliveryTarget">,
): string {
  if (kind === "webhook") {
    const checked = checkWebhookUrl(address, delivery.allowPrivateWebhooks);
    if (checked.ok) return checked.address;
    throw refusal("webhook-refused", { url: shown(address), reason: checked.reason });
  }
  if (delivery.mailer === null) throw refusal("mail-not-configured", {});
  const checked = checkMailAddress(address);
  if (checked.ok) return checked.address;
  throw refusal("mail-address-refused", { address: shown(address), reason: checked.reason });
}

/** Without the password that should not be in it, nor anything that would break the line. */
function shown(address: string): string {
  return JSON.stringify(address.slice(0, 200).replace(/\/\/[^/@]*@/, "//…@"));
}

/** Another party's bills: all of them for the operator, for a provider those that it makes itself. */
async function chooseParty(
  { db }: Pick<ServerContext, "db">,
  caller: Party,
  party: string | undefined,
): Promise<{ partyId: PartyId; sellerPartyId: PartyId | null }> {
  const isOperator = caller.roles.includes("operator");
  const isOwn = party === undefined || party === caller.partyId || party === caller.name;
  if (isOwn) return { partyId: caller.partyId, sellerPartyId: null };
  if (!isOperator && !caller.roles.includes("provider")) {
    throw refusal("not-permitted", { roles: ["operator", "provider"] });
  }
  const { partyId } = await getParty(db.kysely, party);
  return { partyId, sellerPartyId: isOperator ? null : caller.partyId };
}

export const listDeliveryTargets: Handler<"listDeliveryTargets"> = async ({ db }, { caller }) => {
  const targets = await listTargets(db.kysely, { partyId: seenBy(caller) });
  return { targets: targets.map(viewTarget) };
};

export const renewDeliverySecret: Handler<"renewDeliverySecret"> = async (
  context,
  { caller, params: { targetId } },
) => {
  const now = context.clock.now();
  const secret = newSecret();
  return transaction(context.db, async (tx) => {
    const target = await lockOwnTarget(tx, caller, targetId);
    if (target.kind !== "webhook") throw refusal("no-secret", { address: target.address });
    const previousUntil = new Date(now.getTime() + PREVIOUS_SECRET_HOURS * 3_600_000);
    await renewSecret(tx, targetId, { secret, previousUntil });
    return { target: viewTarget(target), secret: formatSecret(secret) };
  });
};

export const removeDeliveryTarget: Handler<"removeDeliveryTarget"> = async (
  context,
  { caller, params: { targetId } },
) => {
  const now = context.clock.now();
  return transaction(context.db, async (tx) => {
    await lockOwnTarget(tx, caller, targetId);
    await closeTarget(tx, targetId, { why: `taken away by ${caller.name}`, removed: true, now });
    return { targetId };
  });
};

/** Whoever set it, whose bills they are, or the operator; a provider's is not its customer's to change. */
async function lockOwnTarget(tx: Tx, caller: Party, targetId: TargetId): Promise<DeliveryTarget> {
  const [target] = await listTargets(tx, { partyId: seenBy(caller), targetId });
  if (!target) throw refusal("not-found", { what: "target", id: targetId });
  const owner = target.seller?.id ?? target.party.id;
  if (owner !== caller.partyId && !caller.roles.includes("operator")) {
    throw refusal("not-permitted", { roles: ["operator"] });
  }
  await lockParty(tx, target.party.id);
  return target;
}

/** Null: everybody's. */
export function seenBy({ partyId, roles }: Party): PartyId | null {
  return roles.includes("operator") ? null : partyId;
}

export function viewTarget(target: DeliveryTarget): z.infer<typeof deliveryTargetView> {
  return {
    targetId: target.targetId,
    party: { ...target.party },
    seller: target.seller && { ...target.seller },
    kind: target.kind,
    address: target.address,
    createdAt: target.createdAt.toISOString(),
    disabledAt: target.disabledAt?.toISOString() ?? null,
    disabledReason: target.disabledReason,
  };
}
