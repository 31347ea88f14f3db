import type { Kysely } from "kysely";
import type { z } from "zod";
import type { DB } from "../../database/types.ts";
import { listActsOfKind } from "../../enablement/capacity/act-store.ts";
import { listCodesOfHost } from "../../enablement/capacity/code-store.ts";
import {
  type Issued,
  listDemands,
  listUnreturned,
  readReported,
  readUntrustedSince,
} from "../../enablement/capacity/stand-store.ts";
import { listHostEventsOfKind } from "../../host/event-store.ts";
import { getHost } from "../../host/store.ts";
import { readDebited } from "../../meter/capacity-store.ts";
import { getParty } from "../../party/store.ts";
import type { capacityStandView } from "../contract/capacity.ts";

/** What one host has reported of one provider's codes. */
export async function viewStand(
  db: Kysely<DB>,
  issued: Issued,
  now: Date,
): Promise<z.infer<typeof capacityStandView>> {
  const { hostId, providerPartyId } = issued;
  const host = await getHost(db, hostId);
  const customer = await getParty(db, host.lenderPartyId);
  const provider = await getParty(db, providerPartyId);
  const codes = await listCodesOfHost(db, issued);
  const debited = await readDebited(db, hostId);
  const taken = new Set(
    (await listActsOfKind(db, hostId, ["code-accepted"])).map(({ record: { act } }) =>
      act.kind === "code-accepted" ? act.codeId : null,
    ),
  );
  const { latest, openUntil } = await readReported(db, issued);
  const until = openUntil ?? latest;
  // A host with a network tells what it begins at once: where nothing is open, nothing is due.
  const isDue = openUntil !== null || host.isRegistered;
  const events = await listHostEventsOfKind(db, hostId, "state-set-back", EVENTS_MAX);
  const demand = (await listDemands(db, hostId)).find(
    (one) => one.providerPartyId === providerPartyId,
  );
  const afterMs = codes
    .filter(({ codeId }) => taken.has(codeId))
    .map(({ code }) => code.reporting.reportAfterSeconds * 1000);
  return {
    ...{ hostId, name: host.name, reached: host.isRegistered ? "registered" : "enrolled" },
    customer: { id: customer.partyId, name: customer.name },
    provider: { id: provider.partyId, name: provider.name },
    codes: codes.map(({ codeId, code }) => ({
      ...{ codeId, resource: code.resource, quantity: code.quantity, validity: code.validity },
      accepted: taken.has(codeId),
      resourceTime: code.resourceTime,
      left: (BigInt(code.resourceTime) - (debited.get(codeId) ?? 0n)).toString(),
    })),
    reportedUntil: until?.toISOString() ?? null,
    overdue:
      isDue && until !== null && now.getTime() - until.getTime() > Math.min(...afterMs, Infinity),
    unreturned: await listUnreturned(db, issued),
    untrustedSince: await readUntrustedSince(db, issued),
    setBack: events.map(({ at, detail }) => ({
      at: at.toISOString(),
      reason: String(detail.reason),
    })),
    demandedAt: demand?.demandedAt.toISOString() ?? null,
  };
}

const EVENTS_MAX = 200;
