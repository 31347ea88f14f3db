import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import type { LeaseView } from "../../api/contract/view.ts";
import type { Context } from "../context.ts";
import { instant } from "../output/words.ts";
import { leaseHints } from "./lease-hints.ts";
import { watch } from "./watch.ts";

type HostView = Response<"listHosts">["hosts"][number];

/** Leases as they change, until Ctrl-C. */
export async function watchLeases(
  context: Context,
  client: Client,
  look: () => Promise<readonly LeaseView[]>,
  screen: (leases: readonly LeaseView[]) => string,
): Promise<void> {
  const hints = leaseHints(client);
  const place = ({ host, partition }: LeaseView) => `${host.name}/${partition.name}`;
  const stateOf = ({ outcome, state }: LeaseView) => outcome ?? state;
  try {
    await watch<LeaseView>(context, {
      look,
      screen,
      idOf: ({ leaseId }) => leaseId,
      stateOf: (lease) => `${stateOf(lease)} ${lease.period?.end} ${lease.power.state}`,
      line: (lease, before) =>
        `${at(context)}  ${lease.leaseId}  ${stateOf(lease)}${before && stateOf(before) !== stateOf(lease) ? ` (was ${stateOf(before)})` : ""}  ${place(lease)}  until ${instant(lease.period?.end ?? null)}`,
      goneLine: (lease) => `${at(context)}  ${lease.leaseId}  no longer listed`,
      next: (leases, everyMs, stop) => {
        const open = leases.filter(({ state, billId }) => state !== "ended" || billId === null);
        const ids = open.map(({ leaseId }) => leaseId);
        return hints.next(ids, everyMs, stop);
      },
    });
  } finally {
    hints.end();
  }
}

/** Hosts have no stream of changes: they are looked at every other second. */
export async function watchHosts(
  context: Context,
  look: () => Promise<readonly HostView[]>,
  screen: (hosts: readonly HostView[]) => string,
  stateOf: (host: HostView) => string,
): Promise<void> {
  await watch<HostView>(context, {
    look,
    screen,
    idOf: ({ hostId }) => hostId,
    stateOf,
    line: (host, before) =>
      `${at(context)}  ${host.name}  ${stateOf(host)}${before ? ` (was ${stateOf(before)})` : ""}`,
    goneLine: (host) => `${at(context)}  ${host.name}  no longer listed`,
    next: async (_, everyMs, signal) => sleep(everyMs, undefined, { signal }),
  });
}

function at({ clock }: Context): string {
  return instant(clock.now().toISOString());
}
