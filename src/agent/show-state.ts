import { unsentCount } from "../meter/spool-batch.ts";
import { listPartitions } from "./allocation/store.ts";
import type { AgentContext } from "./context.ts";
import { holderOf, listLeases } from "./lease/store.ts";
import { countReports } from "./report/store.ts";

/** What the agent knows by itself, with or without a server. No secrets. */
export function agentState(context: AgentContext) {
  const { db, joined, capacity } = context;
  return {
    host: { hostId: joined.hostId, name: joined.hostName, capacity },
    server: {
      url: joined.serverUrl,
      serverId: joined.serverId,
      connection: context.connection.state,
      since: context.connection.since,
    },
    partitions: listPartitions(db).map((partition) => {
      const holder = holderOf(db, partition.partitionId);
      return {
        partitionId: partition.partitionId,
        name: partition.name,
        lendable: partition.lendable,
        cpuMode: partition.cpuMode,
        size: partition.size,
        generation: partition.generation,
        inUse: holder && { leaseId: holder.leaseId, until: holder.endsAt, cores: holder.cores },
      };
    }),
    leases: listLeases(db).map((lease) => ({
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
    unsent: { reports: countReports(db), usageRecords: unsentCount(db) },
  };
}
export type AgentState = ReturnType<typeof agentState>;
