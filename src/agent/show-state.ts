import { unsentCount } from "../meter/spool-batch.ts";
import { listPartitions } from "./allocation/store.ts";
import type { AgentContext } from "./context.ts";
import { holderOf, type LeaseRow, listLeases } from "./lease/store.ts";
import { viewOwnGuest } from "./own/show.ts";
import { countReports } from "./report/store.ts";
import { listPinned } from "./trust/store.ts";

/** What the agent knows by itself, with or without a server. No secrets. */
export function agentState(context: AgentContext) {
  const { db, host, server, capacity } = context;
  const rows = listLeases(db);
  return {
    host: { hostId: host.hostId, name: host.hostName, capacity },
    /** Null: this host has none. */
    server: server && {
      url: server.joined.serverUrl,
      serverId: server.joined.serverId,
      connection: server.connection.state,
      since: server.connection.since,
    },
    partitions: listPartitions(db).map((partition) => {
      const holder = holderOf(db, partition.partitionId);
      return {
        partitionId: partition.partitionId,
        name: partition.name,
        lendable: partition.lendable,
        cpuMode: partition.cpuMode,
        size: partition.size,
        standingSize: partition.standingSize ?? partition.size,
        min: partition.min,
        max: partition.max,
        generation: partition.generation,
        inUse: holder && {
          ...{ leaseId: holder.leaseId, origin: holder.origin },
          ...{ until: holder.endsAt, cores: holder.cores },
        },
      };
    }),
    leases: rows.filter(isLeased).map((lease) => ({
      leaseId: lease.leaseId,
      partitionId: lease.partitionId,
      stage: lease.stage,
      isDelivered: lease.isDelivered,
      endsAt: lease.endsAt,
      endReason: lease.endReason,
      cores: lease.cores,
      port: lease.port,
      failures: lease.failures,
    })),
    guests: rows.filter((row) => !isLeased(row)).map((row) => viewOwnGuest(context, row)),
    providers: listPinned(db).map(({ providerId, name, keys, isTrusted }) => ({
      ...{ providerId, name, isTrusted },
      kids: keys.map(({ kid }) => kid),
    })),
    unsent: { reports: countReports(db), usageRecords: unsentCount(db) },
  };
}
function isLeased({ origin }: LeaseRow): boolean {
  return origin === "lease";
}

export type AgentState = ReturnType<typeof agentState>;
