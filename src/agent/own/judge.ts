import { type OwnGrant, ownGrantSchema } from "../../enablement/own-grant.ts";
import { verify } from "../../signature/envelope.ts";
import { readPartition } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { type Judgement, judgeGuest, type Refused } from "../grant.ts";
import type { LeaseRow } from "../lease/store.ts";

/**
 * Is this a grant of this agent's own, for a partition that nobody can lease? That it lies in the
 * agent's own database is not enough: it is verified like a server's, and by the agent's own keys.
 */
export function judgeOwnGrant(
  context: AgentContext,
  lease: Pick<LeaseRow, "leaseId" | "partitionId" | "grantJws">,
): Judgement<OwnGrant> {
  if (lease.grantJws === null) return no("grant-missing", "the guest has no grant");
  const verified = verify({
    jws: lease.grantJws,
    typ: "sublet-own-grant",
    keys: context.keys.ring(),
    schema: ownGrantSchema,
  });
  if (!verified.ok) return no(`grant-${verified.code}`, verified.message);
  const grant = verified.payload;
  return judgeOwnContent(context, lease, grant) ?? { ok: true, grant };
}

function judgeOwnContent(
  context: AgentContext,
  lease: Pick<LeaseRow, "leaseId" | "partitionId">,
  grant: OwnGrant,
): Refused | null {
  const { partition } = grant;
  const { hostId } = context.host;
  if (grant.iss !== hostId || grant.aud !== hostId) {
    return no("grant-other-host", `the grant is of ${grant.iss} for ${grant.aud}`);
  }
  if (grant.leaseId !== lease.leaseId || partition.partitionId !== lease.partitionId) {
    return no("grant-other-lease", `the grant is for ${grant.leaseId}`);
  }
  const known = readPartition(context.db, partition.partitionId);
  if (known === null) return no("partition-unknown", `there is no ${partition.name} here`);
  if (known.lendable) {
    const message = `${partition.name} is lendable, and own guests run where nothing is lent; make it --not-lendable first`;
    return no("partition-lendable", message);
  }
  return judgeGuest(context, grant);
}

function no(code: string, message: string): Refused {
  return { ok: false, code, message };
}
