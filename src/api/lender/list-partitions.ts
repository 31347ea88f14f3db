import { listPartitions as readPartitions } from "../../host/partition-store.ts";
import type { Handler } from "../handler.ts";
import { viewPartition } from "../views.ts";

export const listPartitions: Handler<"listPartitions"> = async ({ db, clock }, { caller }) => {
  const which = { lenderPartyId: caller.partyId };
  const partitions = await readPartitions(db.kysely, which, clock.now());
  return { partitions: partitions.map(viewPartition) };
};
