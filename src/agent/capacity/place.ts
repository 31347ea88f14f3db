import { checkConsent, consentStatement } from "../../enablement/capacity/consent.ts";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import { isEnding } from "../../partition/step.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import type { PartyId } from "../../unit/id.ts";
import { listPartitions } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { holderOf, type LeaseRow } from "../lease/store.ts";
import { isLeased } from "./host.ts";
import { listServices, type ServiceRow } from "./service-store.ts";

/** Where capacity is to be enabled. */
export interface Place {
  readonly service: Pick<ServiceRow, "mode" | "partition" | "leaseId">;
  /** Of a leased partition: whose client has to agree. */
  readonly lease: LeaseRow | null;
}

export function poolPlace(
  { db, capacity }: AgentContext,
  resource: CapacityResource,
  providerId: PartyId,
): Place | Refusal {
  if (resource === "memory") {
    const message = "memory is not shared between guests; give it to one with --partition";
    return refusal("capacity-wrong-mode", { message });
  }
  if (!capacity.facts.sharedCpu) {
    const message = `this host cannot share cpu: ${capacity.facts.controlGroupsReason}; enable it for one partition with --partition`;
    return refusal("capacity-wrong-mode", { message });
  }
  const other = listServices(db).find(
    (service) => service.mode === "shared" && service.providerId !== providerId,
  );
  if (other) return refusal("capacity-in-use-otherwise", { providerId: other.providerId });
  return { service: { mode: "shared", partition: null, leaseId: null }, lease: null };
}

export function placeOf(
  { db }: AgentContext,
  name: string,
  resource: CapacityResource,
): Place | Refusal {
  const known = listPartitions(db).find((one) => one.name === name);
  if (known === undefined) return refusal("not-found", { what: "partition", id: name });
  if (known.cpuMode === "shared" && resource === "cpu") {
    const message = `${name} has shared cpu, which gets more through the pool; enable it with --shared`;
    return refusal("capacity-wrong-mode", { message });
  }
  const partition = { id: known.partitionId, name };
  const holder = holderOf(db, known.partitionId);
  const lease = holder !== null && isLeased(holder) ? holder : null;
  if (lease !== null && (isEnding(lease.stage) || lease.endReason !== null)) {
    const { leaseId, endsAt } = lease;
    return refusal("partition-in-use", { partition: name, leaseId, until: endsAt ?? "its end" });
  }
  return {
    service: { mode: "dedicated", partition, leaseId: lease?.leaseId ?? null },
    lease,
  };
}

/** Null when the client of the lease has signed exactly this, by the key in its grant. */
export function refuseUnasked(
  { leaseId, granted }: LeaseRow,
  about: Pick<ServiceRow, "resource" | "quantity" | "codeId">,
  {
    partition = "",
    consent,
  }: { readonly partition?: string | undefined; readonly consent?: string | undefined },
): Refusal | null {
  const { resource, quantity, codeId } = about;
  const consented = { leaseId, resource, quantity, codeId };
  if (consent === undefined) {
    const statement = consentStatement(consented);
    return refusal("capacity-consent-missing", { partition, leaseId, statement });
  }
  const checked = checkConsent(consented, consent, granted?.clientKey ?? "");
  if (checked.ok) return null;
  return refusal("capacity-consent-refused", { message: checked.message });
}
