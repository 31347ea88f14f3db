import { lend } from "../../src/agent/capacity/lend.ts";
import { listReservations } from "../../src/agent/capacity/reservation-store.ts";
import type { AgentContext, JoinedContext } from "../../src/agent/context.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import type { StandbyPart } from "../../src/enablement/capacity/lent.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import { type CodeId, newId } from "../../src/unit/id.ts";
import { CORE, createProvider, type Provider, SECOND_NS, STANDBY } from "./capacity.ts";
import type { FakeServer } from "./fake-server.ts";
import { createRig, type Rig } from "./harness.ts";

export const coreSeconds = (seconds: number) => BigInt(CORE) * BigInt(seconds) * SECOND_NS;

export interface LendingHost {
  readonly rig: Rig;
  readonly provider: Provider;
  readonly agent: JoinedContext;
  readonly server: FakeServer;
}

/** A host of a server, with two cores and a GiB in standby, and a provider that it trusts. */
export async function lendingHost(): Promise<LendingHost> {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.start();
  provider.pin(agent);
  return { rig, provider, agent, server: rig.server };
}

/** Lends a code of a core for so many core-seconds, or as the test changes it. */
export async function lent(
  { provider, agent }: Pick<LendingHost, "provider" | "agent">,
  seconds: number,
  change: Partial<CapacityCode> = {},
): Promise<{ readonly codeId: CodeId; readonly code: string }> {
  const code = provider.code(agent, { resourceTime: `${coreSeconds(seconds)}`, ...change });
  const done = await lend(agent, code);
  if (done instanceof Refusal) throw done;
  return { codeId: done.codeId, code };
}

/** A grant of two cores, or of other sizes, with what of it is standby's. */
export function grantWith(
  server: FakeServer,
  standby: readonly StandbyPart[],
  { seconds = 600, ...size }: Partial<Grant["partition"]["size"]> & { seconds?: number } = {},
): Grant {
  const { partition } = server.grantOf();
  return server.grantOf({
    seconds,
    partition: { ...partition, size: { ...partition.size, cpuMilli: 2 * CORE, ...size } },
    standby: [...standby],
  });
}

export function core(codeId: CodeId, count = 1): StandbyPart {
  return { codeId, resource: "cpu", quantity: count * CORE };
}

/** The same grant, for `seconds` longer. */
export function longer(grant: Grant, seconds: number): Grant {
  const end = new Date(Date.parse(grant.period.end) + seconds * 1000).toISOString();
  const period = { start: grant.period.start, end };
  return { ...grant, jti: newId("grant"), sequence: grant.sequence + 1, period };
}

/** All that is reserved on a host. */
export function reservedOn({ db }: AgentContext): bigint {
  return listReservations(db).reduce((sum, { quantity }) => sum + quantity, 0n);
}
