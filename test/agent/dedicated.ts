import { CORE, createProvider, SECOND_NS, STANDBY } from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut } from "./own.ts";

/** A host without a server, with a guest of one core in `p1`, and a provider that it trusts. */
export async function dedicatedWorld() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const spec = () => rig.driver.guests.get(leaseId)?.spec;
  return { rig, provider, agent, guestId: leaseId, spec };
}

/** In milliCore-nanoseconds. */
export const coreSeconds = (seconds: number) => BigInt(CORE) * BigInt(seconds) * SECOND_NS;
