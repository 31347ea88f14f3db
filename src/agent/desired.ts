import type { DesiredState } from "../api/contract/agent.ts";
import { inTransaction } from "../meter/transaction.ts";
import { sizesEqual } from "../unit/size.ts";
import { readPartition, writePartition } from "./allocation/store.ts";
import { instantNow, type JoinedContext } from "./context.ts";
import { readEndOrder, readPowerOrder } from "./grant.ts";
import { forgetOldKeys } from "./identity/rotate.ts";
import { listOldKids } from "./identity/store.ts";
import { noteExtensions } from "./lease/extending.ts";
import { changeLease, holderOf, insertLease, type LeaseRow, readLease } from "./lease/store.ts";
import { tellAgain } from "./lease/tell-again.ts";
import { sendAskedFor } from "./send-usage.ts";

/** Reads what the host should be and takes it over into the agent's own record. */
export async function readDesiredOnce(context: JoinedContext): Promise<DesiredState> {
  // Whatever was granted under these is in what is read now: later grants name a later key.
  const oldKids = listOldKids(context.db);
  const desired = await context.server.client.call("readDesired");
  absorbDesired(context, desired);
  forgetOldKeys(context, oldKids);
  return desired;
}

/**
 * Takes over what the desired state *names*. What it does not name is left alone: absence is never
 * a reason to destroy (invariant 5), so this has no code that looks for what is missing.
 */
export function absorbDesired(context: JoinedContext, desired: DesiredState): void {
  if (desired.hostId !== context.server.joined.hostId) {
    context.log.error({ hostId: desired.hostId }, "the server sent another host's desired state");
    return;
  }
  context.learnServerKeys(desired.successionJws);
  inTransaction(context.db, () => {
    for (const partition of desired.partitions) absorbPartition(context, partition);
    for (const partitionId of desired.removedPartitionIds) {
      const known = readPartition(context.db, partitionId);
      if (known !== null) writePartition(context.db, { ...known, isRemovalWanted: true });
    }
    for (const lease of desired.leases) absorbLease(context, lease);
  });
}

function absorbPartition(context: JoinedContext, told: DesiredState["partitions"][number]): void {
  const { partitionId, name, cpuMode, lendable, min, max } = told;
  const known = readPartition(context.db, partitionId);
  if (known === null) {
    writePartition(context.db, {
      ...{ partitionId, name, cpuMode, lendable, size: told.size, generation: told.generation },
      ...{ min, max },
      standingSize: null,
      desiredSize: told.size,
      desiredGeneration: told.generation,
      isRemovalWanted: false,
    });
    return;
  }
  // The same generation with another size: by the hour alone, what stands yields or is whole again.
  const isByTheHour =
    told.generation === known.desiredGeneration && !sizesEqual(told.size, known.desiredSize);
  const isNews = told.generation > known.desiredGeneration || isByTheHour;
  const holder = isNews ? holderOf(context.db, partitionId) : null;
  if (holder !== null && !sizesEqual(told.size, known.size)) {
    const fields = { partition: name, leaseId: holder.leaseId, wanted: told.size };
    context.log.warn(fields, "a change waits: the partition is in use and frozen");
  }
  writePartition(context.db, {
    ...known,
    ...{ name, lendable, min, max },
    // How its cores are given is part of what a lease has frozen.
    cpuMode: holderOf(context.db, partitionId) === null ? cpuMode : known.cpuMode,
    ...(isNews ? { desiredSize: told.size, desiredGeneration: told.generation } : {}),
    // What is applied under a number is applied anew.
    ...(isByTheHour ? { generation: Math.min(known.generation, told.generation - 1) } : {}),
  });
}

function absorbLease(context: JoinedContext, told: DesiredState["leases"][number]): void {
  const { leaseId, partitionId, grantJws, endJws } = told;
  const known = readLease(context.db, leaseId);
  if (known?.origin === "own") {
    context.log.error(
      { leaseId },
      "the server names a guest of this host's owner; it is let alone",
    );
    return;
  }
  if (known !== null) {
    tellAgain(context, known, told);
    sendAskedFor(context, leaseId, told.missing ?? []);
  }
  if (known?.stage === "done") return;
  const order = endJws === null ? null : readEndOrder(context, leaseId, endJws);
  if (known === null) {
    if (grantJws === null && order === null) return;
    insertLease(context.db, { leaseId, partitionId, grantJws, receivedAt: instantNow(context) });
  }
  noteExtensions(context, leaseId, told.extensionJws);
  // The first reason stands: a lease that has failed or expired is not also ended by order.
  if (order !== null && (known === null || known.endReason === null)) {
    changeLease(context.db, leaseId, { endJws, endReason: order.reason });
  }
  if (told.powerJws !== null) absorbPower(context, leaseId, told.powerJws);
}

/** Only a later wish counts: an older database, or an answer that was late, undoes nothing. */
function absorbPower(context: JoinedContext, leaseId: LeaseRow["leaseId"], powerJws: string): void {
  const order = readPowerOrder(context, leaseId, powerJws);
  const known = readLease(context.db, leaseId);
  if (order === null || known === null || order.generation <= known.powerGeneration) return;
  changeLease(context.db, leaseId, {
    powerState: order.state,
    powerGeneration: order.generation,
    isPowerCut: false,
  });
}
