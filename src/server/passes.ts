import type { ServerContext } from "../api/context.ts";
import { closeCapacityBillsOnce } from "../billing/capacity/close-bills.ts";
import { closeBillsOnce } from "../billing/close-bills.ts";
import { lapseExtensionsOnce } from "../billing/lapse-extensions.ts";
import { releaseHold } from "../billing/ledger-store.ts";
import { endOverdueOnce, grantDueOnce, holdOverrunsOnce } from "../enablement/grant-due.ts";
import { followServerKeysOnce } from "../enablement/signing-key-store.ts";
import { expireOutputsOnce } from "../lease/expire-outputs.ts";
import { watchHostsOnce } from "../lease/watch-hosts.ts";
import { BACKOFF } from "../process/backoff.ts";
import { type Loop, startLoop } from "../process/loop.ts";

const EVERY_MS = 1000;

/**
 * What the server does by itself: follow its keys, watch hosts, grant what is due, let extensions
 * lapse, end what is overdue, close bills, forget outputs that are over.
 */
export async function runPassesOnce(context: ServerContext): Promise<void> {
  const { db, clock, billingTimeZone } = context;
  await followServerKeysOnce(db.kysely, context.keys);
  const issuer = { serverId: context.serverId, key: context.keys.current };
  const leases = { db, issuer, billingTimeZone, onNeverGranted: releaseHold };
  await watchHostsOnce({ db, upSince: context.upSince }, clock.now());
  await holdOverrunsOnce(leases, clock.now());
  await grantDueOnce(leases, clock.now());
  await lapseExtensionsOnce({ db }, clock.now());
  await endOverdueOnce(leases, clock.now());
  await closeBillsOnce({ db, issuer, billingTimeZone }, clock.now());
  await closeCapacityBillsOnce({ db, issuer }, clock.now());
  // Last: a file that cannot be removed keeps no lease from its end and no bill from closing.
  await expireOutputsOnce({ db, outputs: context.outputs }, clock.now());
}

export function startPasses(context: ServerContext): Loop {
  return startLoop(() => runPassesOnce(context), {
    name: "passes",
    everyMs: () => EVERY_MS,
    backoff: BACKOFF.pass,
    log: context.log,
  });
}
