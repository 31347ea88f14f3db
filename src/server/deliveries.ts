import type { ServerContext } from "../api/context.ts";
import { readDeliveredBill } from "../api/delivery/read-bill.ts";
import { type Delivering, deliverOnce } from "../billing/delivery/deliver-once.ts";
import { BACKOFF } from "../process/backoff.ts";
import { type Loop, startLoop } from "../process/loop.ts";

/** So many receivers may hang before anybody else waits; each looks for what is due in its turn. */
const LANES = 6;
const EVERY_MS = 2000;

/** What the deliveries of this server work with. */
export function deliveringOf(context: ServerContext): Delivering {
  const { db, delivery } = context;
  return {
    db,
    serverName: new URL(context.publicUrl()).host,
    readBill: (billId, partyId) => readDeliveredBill(context, billId, partyId),
    allowPrivateWebhooks: delivery.allowPrivateWebhooks,
    mailer: delivery.mailer,
    onAttempt: (kind, outcome) => delivery.attempts.inc({ kind, outcome }),
  };
}

/** Beside the passes: a receiver that hangs keeps no bill from being closed. */
export function startDeliveries(context: ServerContext): Loop {
  const lanes = Array.from({ length: LANES }, (_, at) =>
    startLoop(
      async () => {
        await deliverOnce(deliveringOf(context), () => context.clock.now());
      },
      {
        name: `deliveries ${at + 1}`,
        everyMs: () => EVERY_MS,
        backoff: BACKOFF.pass,
        log: context.log,
      },
    ),
  );
  return {
    wake: () => {
      for (const lane of lanes) lane.wake();
    },
    stop: async () => {
      await Promise.all(lanes.map((lane) => lane.stop()));
    },
  };
}
