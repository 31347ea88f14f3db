import { leftOf } from "../../enablement/capacity/account.ts";
import { CAPACITY_RESOURCES } from "../../enablement/capacity/resource.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { listPartitions } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { isTrusted, listPinned } from "../trust/store.ts";
import { actHead } from "./act-store.ts";
import { listOpenChains, unreportedOf } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { accountOf, listCodes } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { sharedService } from "./meters.ts";
import { readOverdue } from "./overdue-store.ts";
import { outlookOf } from "./policy.ts";
import { readProvider } from "./provider-store.ts";
import { codeOf, periodUse } from "./reading.ts";
import { isAhead } from "./report.ts";
import { listReservations } from "./reservation-store.ts";
import { listServices } from "./service-store.ts";

/** What the host's owner sees of its capacity. Quantities of use are text; no secrets. */
export function showCapacity(context: AgentContext) {
  const { db } = context;
  const now = inTransaction(db, () => tellCapacityTime(context));
  const codes = listCodes(db);
  const kept = listReservations(db);
  const providers = [...new Set(codes.map(({ code }) => code.iss))];
  const warnings: string[] = [];
  const accounts = codes.map((stored) => {
    const account = accountOf(stored);
    const { code, debited, lentAt } = stored;
    const reserved = kept
      .filter(({ codeId }) => codeId === code.jti)
      .reduce((sum, { quantity }) => sum + quantity, 0n);
    return {
      codeId: code.jti,
      providerId: code.iss,
      resource: code.resource,
      quantity: code.quantity,
      resourceTime: code.resourceTime,
      debited: debited.toString(),
      left: leftOf(account).toString(),
      // Of what is left, for leases.
      reserved: reserved.toString(),
      lentAt,
      validity: code.validity,
      isValid: account.validFromMs <= now.atMs && now.atMs < account.validUntilMs,
      isTrusted: isTrusted(db, code.iss),
    };
  });
  const outlooks = providers.flatMap((providerId) =>
    (["cpu", "memory"] as const).flatMap((resource) => {
      const own = codes.filter(({ code }) => code.iss === providerId && code.resource === resource);
      const last = own.at(-1);
      if (last === undefined) return [];
      const outlook = outlookOf(context, { providerId, resource }, now.atMs);
      const { runsOutInSeconds } = outlook;
      if (runsOutInSeconds !== null && runsOutInSeconds < last.code.exhaustion.warnSeconds) {
        warnings.push(
          runsOutInSeconds === 0
            ? `${resource}: the resource-time is used up; request another code`
            : `${resource}: used up in ${runsOutInSeconds} s at the present rate; request another code`,
        );
      }
      return [{ providerId, resource, ...outlook }];
    }),
  );
  const unreported = providers.map((providerId) => {
    const acts = actHead(db, hostIdOf(context)).seq - readProvider(db, providerId).actsReceipted;
    const own = codes.filter(({ code }) => code.iss === providerId);
    const resources = CAPACITY_RESOURCES.filter((resource) =>
      own.some(({ code }) => code.resource === resource),
    ).map((resource) => {
      const { quantity, since } = unreportedOf(db, { providerId, resource });
      const overdueSince = readOverdue(db, { providerId, resource });
      if (overdueSince !== null) {
        const told = `use of ${resource} is unreported since ${since}`;
        warnings.push(`${told}; export a report for ${providerId}`);
      }
      return { resource, quantity: quantity.toString(), since, overdueSince };
    });
    return { providerId, acts, resources };
  });
  if (isAhead(context, now)) {
    const told = "codes count by a time that is later than this computer's clock";
    warnings.push(`${told}: set the clock right, then export a report and import its receipts`);
  }
  for (const { providerId, name, isTrusted: holds } of listPinned(db)) {
    if (holds || !providers.includes(providerId)) continue;
    warnings.push(`${name} is not trusted any more: its codes (${providerId}) enable nothing`);
  }
  const services = listServices(db);
  for (const { serviceId, state } of services) {
    if (state === "unreturned") warnings.push(`${serviceId} had to be given back and was not`);
  }
  return {
    at: now.at,
    accounts,
    outlooks,
    services: services.map(view),
    shared: sharedUse(context, now.atMs),
    unreported,
    warnings,
  };
}
export type ShownCapacity = ReturnType<typeof showCapacity>;

/** Each shared partition's use in this period, against its own threshold. */
function sharedUse(context: AgentContext, atMs: number) {
  const service = sharedService(context);
  if (service === null) return [];
  const { code } = codeOf(context, service);
  const metered = new Set(listOpenChains(context.db).map(({ partition }) => partition.id));
  return listPartitions(context.db)
    .filter(({ partitionId }) => metered.has(partitionId))
    .filter(({ cpuMode }) => cpuMode === "shared")
    .map(({ partitionId, name }) => {
      const { key, threshold, used, excess } = periodUse(context, code, partitionId, atMs);
      const period = { start: key.start, end: key.end };
      return { partition: name, period, threshold, used: `${used}`, excess: `${excess}` };
    });
}

function view(service: ReturnType<typeof listServices>[number]) {
  const { retryAtNs: _retry, processId: _process, partition, ...rest } = service;
  return { ...rest, partition: partition?.name ?? null };
}
