import type { Kysely } from "kysely";
import { checkConstraints } from "../../database/constraint.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import {
  CARVED_PREFIX,
  getPartition,
  listPartitions,
  type PartitionSetting,
  upsertPartition,
} from "../../host/partition-store.ts";
import { bumpDesiredGeneration, getHostOfLender, type Host, lockHost } from "../../host/store.ts";
import { fillStanding } from "../../lease/reservation-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { fitsWithin, sizesEqual } from "../../unit/size.ts";
import type { Body } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";
import { viewPartition } from "../views.ts";
import { refuseBeyond, refuseByGuard, refuseInUse } from "./partition-refusal.ts";

export const setPartition: Handler<"setPartition"> = async (context, { caller, params, body }) => {
  const { db, clock } = context;
  const now = clock.now();
  const setting = toSetting(body);
  if (params.name.startsWith(CARVED_PREFIX)) {
    const message = `names that begin with ${CARVED_PREFIX} are for what is carved; choose another`;
    throw refusal("invalid-input", { message });
  }
  const found = await getHostOfLender(db.kysely, caller.partyId, params.host);
  if (!found.enrolledAt) throw refusal("host-not-enrolled", { host: found.name });
  const partition = await transaction(db, async (tx) => {
    const host = await lockHost(tx, found.hostId);
    if (!fitsWithin(setting.size, host.base)) throw refuseBeyond(host, host.base);
    try {
      await change(tx, host, params.name, setting, now);
    } catch (error) {
      throw await refuseByGuard(error, { db: db.kysely, host, partition: params.name, now });
    }
    return getPartition(tx, host, params.name, now);
  });
  return viewPartition(partition);
};

async function change(
  tx: Kysely<DB>,
  host: Host,
  name: string,
  setting: PartitionSetting,
  now: Date,
): Promise<void> {
  const [existing] = await listPartitions(tx, { hostId: host.hostId, name }, now);
  if (existing?.inUse) throw refuseInUse(existing.name, existing.inUse);
  const partitionId = await upsertPartition(tx, { hostId: host.hostId, name, now }, setting);
  // A size that stays may have been lent on in part, and comes back when those leases end.
  const yielding = existing !== undefined && sizesEqual(existing.standingSize, setting.size);
  const { size, cpuMode } = setting;
  await fillStanding(tx, { partitionId, hostId: host.hostId }, { size, cpuMode, yielding }, now);
  await bumpDesiredGeneration(tx, host.hostId);
  await checkConstraints(tx);
}

/** The smallest that a partition may be cut to when nothing else is said. */
const MIN_DEFAULT = { cpuMilli: 1000, memoryBytes: 64 * 2 ** 20, diskBytes: 0 };

function toSetting(body: Body<"setPartition">): PartitionSetting {
  const { size, cpuMode } = body;
  if (size.cpuMilli === 0 || size.memoryBytes === 0) {
    throw refusal("size-outside-limits", {
      message: "a partition needs some cpu and some memory; give it both",
    });
  }
  if (cpuMode === "dedicated" && size.cpuMilli % 1000 !== 0) {
    throw refusal("unsupported", {
      what: "a fraction of a dedicated core",
      instead: "give whole cores, or --shared",
    });
  }
  const min = body.min ?? {
    cpuMilli: cpuMode === "dedicated" ? MIN_DEFAULT.cpuMilli : Math.min(10, size.cpuMilli),
    memoryBytes: Math.min(MIN_DEFAULT.memoryBytes, size.memoryBytes),
    diskBytes: MIN_DEFAULT.diskBytes,
  };
  const max = body.max ?? size;
  if (!fitsWithin(min, size) || !fitsWithin(size, max)) {
    throw refusal("size-outside-limits", {
      message: "the size must lie between the minimum and the maximum; change one of them",
    });
  }
  return { lendable: body.lendable, cpuMode, size, min, max };
}
