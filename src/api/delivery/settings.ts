import { Counter, Gauge, type Registry } from "prom-client";
import type { Mailer } from "../../billing/delivery/mail.ts";
import { countDeliveries } from "../../billing/delivery/store.ts";
import type { Database } from "../../database/connect.ts";

/** How this server sends bills. */
export interface DeliverySettings {
  readonly allowPrivateWebhooks: boolean;
  /** Null: it sends no mail. */
  readonly mailer: Mailer | null;
  /** Of this process; what there is in all stands in the database. */
  readonly attempts: Counter<"kind" | "outcome">;
}

export function attemptCounter(): DeliverySettings["attempts"] {
  return new Counter({
    name: "sublet_bill_delivery_attempts_total",
    help: "Attempts of this process to deliver bills",
    labelNames: ["kind", "outcome"],
    registers: [],
  });
}

/** What waits and what failed, asked of the database at each scrape: true over any number of servers. */
export function registerDeliveryMetrics(
  registry: Registry,
  { db, delivery }: { readonly db: Database; readonly delivery: DeliverySettings },
): void {
  registry.registerMetric(delivery.attempts);
  const gauge = new Gauge({
    name: "sublet_bill_deliveries",
    help: "Deliveries of bills that wait or have failed",
    labelNames: ["kind", "state"],
    registers: [registry],
    async collect() {
      try {
        const counts = await countDeliveries(db.kysely);
        gauge.reset();
        for (const { kind, state, count } of counts) gauge.set({ kind, state }, count);
      } catch (error) {
        // The other metrics are wanted all the more when the database is away.
        db.log.warn({ err: error }, "deliveries could not be counted");
      }
    },
  });
}
