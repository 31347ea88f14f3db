import type { Kysely, Selectable } from "kysely";
import type { DB, CapacityRequest as RequestRow } from "../../database/types.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { CapacityRequestId, HostId, PartyId } from "../../unit/id.ts";
import type { CapacityResource } from "./resource.ts";

export type RequestState = "open" | "issued" | "declined";

export interface StoredRequest {
  readonly requestId: CapacityRequestId;
  readonly hostId: HostId;
  readonly providerPartyId: PartyId;
  readonly resource: CapacityResource;
  readonly quantity: number;
  readonly forSeconds: number;
  readonly requestJws: string | null;
  readonly state: RequestState;
  readonly createdAt: Date;
}

type NewRequest = Omit<StoredRequest, "state">;

/** The same again is the same request; other content under its id is refused as `cause-reused`. */
export async function insertCapacityRequest(
  tx: Kysely<DB>,
  request: NewRequest,
): Promise<StoredRequest> {
  await tx
    .insertInto("capacityRequest")
    .values({
      ...request,
      quantity: BigInt(request.quantity),
      forSeconds: BigInt(request.forSeconds),
    })
    .onConflict((conflict) => conflict.column("requestId").doNothing())
    .execute();
  const stored = await getCapacityRequest(tx, request.requestId);
  const same = (["hostId", "providerPartyId", "resource", "quantity", "forSeconds"] as const).every(
    (member) => stored[member] === request[member],
  );
  if (!same) throw refusal("cause-reused", { cause: request.requestId });
  return stored;
}

export async function getCapacityRequest(
  db: Kysely<DB>,
  requestId: CapacityRequestId,
): Promise<StoredRequest> {
  const row = await db
    .selectFrom("capacityRequest")
    .selectAll()
    .where("requestId", "=", requestId)
    .executeTakeFirst();
  if (!row) throw refusal("not-found", { what: "capacity request", id: requestId });
  return toRequest(row);
}

export async function settleCapacityRequest(
  tx: Kysely<DB>,
  requestId: CapacityRequestId,
  state: "issued" | "declined",
  now: Date,
): Promise<void> {
  await tx
    .updateTable("capacityRequest")
    .set({ state, settledAt: now })
    .where("requestId", "=", requestId)
    .where("state", "=", "open")
    .execute();
}

/** Newest first: of a provider, or for the hosts of an owner. */
export async function listCapacityRequests(
  db: Kysely<DB>,
  whose: { providerPartyId: PartyId } | { ownerPartyId: PartyId },
): Promise<StoredRequest[]> {
  const rows = await db
    .selectFrom("capacityRequest")
    .innerJoin("host", "host.hostId", "capacityRequest.hostId")
    .selectAll("capacityRequest")
    .where((eb) =>
      "providerPartyId" in whose
        ? eb("providerPartyId", "=", whose.providerPartyId)
        : eb("host.lenderPartyId", "=", whose.ownerPartyId),
    )
    .orderBy("requestId", "desc")
    .limit(LISTED_MAX)
    .execute();
  return rows.map(toRequest);
}

const LISTED_MAX = 200;

function toRequest(row: Selectable<RequestRow>): StoredRequest {
  return {
    requestId: row.requestId as CapacityRequestId,
    hostId: row.hostId as HostId,
    providerPartyId: row.providerPartyId as PartyId,
    resource: row.resource as CapacityResource,
    quantity: Number(row.quantity),
    forSeconds: Number(row.forSeconds),
    requestJws: row.requestJws,
    state: row.state as RequestState,
    createdAt: row.createdAt,
  };
}
