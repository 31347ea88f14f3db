import { isEnding } from "../../partition/step.ts";
import type { AgentContext } from "../context.ts";
import type { LeaseRow } from "../lease/store.ts";

export type OwnGuestState =
  | "starting"
  | "running"
  | "silent"
  | "stopping"
  | "off"
  | "ending"
  | "wiped"
  | "failed";

/** An own guest as its owner sees it, with its way in. No secrets. */
export function viewOwnGuest({ config }: AgentContext, row: LeaseRow) {
  const { granted, port, hostKeyPublic } = row;
  const hasWayIn = row.stage === "ready" && granted !== null && port !== null;
  return {
    guestId: row.leaseId,
    partitionId: row.partitionId,
    partition: granted?.partition.name ?? null,
    image: granted && `${granted.image.manifest.name} ${granted.image.manifest.version}`,
    state: stateOf(row),
    stage: row.stage,
    reason: row.endReason,
    failure: row.failure,
    cores: row.cores,
    access:
      hasWayIn && hostKeyPublic !== null
        ? {
            ...{ address: config.accessAddress, port, user: granted.image.manifest.user },
            hostKey: hostKeyPublic,
          }
        : null,
  };
}
export type OwnGuestView = ReturnType<typeof viewOwnGuest>;

function stateOf(row: LeaseRow): OwnGuestState {
  if (row.stage === "wiped" || row.stage === "done") {
    return row.failure === null ? "wiped" : "failed";
  }
  if (isEnding(row.stage) || row.endReason !== null) return "ending";
  if (row.stage !== "ready") return "starting";
  const isDone = row.powerDoneGeneration >= row.powerGeneration;
  if (row.powerState === "off") return isDone ? "off" : "stopping";
  if (row.isDelivered && isDone) return "running";
  return isDone ? "silent" : "starting";
}
