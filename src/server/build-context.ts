import type { Logger } from "pino";
import type { ServerContext } from "../api/context.ts";
import { attemptCounter } from "../api/delivery/settings.ts";
import { ensureFee } from "../billing/fee-store.ts";
import type { Database } from "../database/connect.ts";
import { transaction } from "../database/transaction.ts";
import { ensureServerKeys, liveServerKeys } from "../enablement/signing-key-store.ts";
import { createFolderBlobStore } from "../image/blob-store.ts";
import { type Clock, systemClock } from "../unit/clock.ts";
import { InputError } from "../unit/quantity.ts";
import { createSteadyClock } from "../unit/steady-clock.ts";
import type { ServerConfig } from "./config.ts";
import { createLeaseChanges, type LeaseChangeHub } from "./lease-changes.ts";
import { addOperatorKey, ensureOperator, ensureSetting } from "./setup-store.ts";

export interface BuiltContext {
  readonly context: ServerContext;
  readonly changes: LeaseChangeHub;
  readonly operatorKey: string | null;
  /** Known when it listens and when its passes run. */
  readonly late: { publicUrl: string; wake: () => void };
}

/** Builds everything that the server works with, by hand; `overrides` is the only test seam. */
export async function buildContext(
  config: ServerConfig,
  db: Database,
  log: Logger,
  overrides: Partial<ServerContext> = {},
): Promise<BuiltContext> {
  const clock = overrides.clock ?? serverClock(log);
  const now = clock.now();
  const settled = await transaction(db, async (tx) => {
    const setting = await ensureSetting(tx, config.books, now);
    const feePpm = await ensureFee(tx, config.operatorFeePpm ?? 0, now);
    const keys = await ensureServerKeys(tx, now);
    const firstKey = await ensureOperator(tx, now);
    const operatorKey = firstKey ?? (config.newOperatorKey ? await addOperatorKey(tx, now) : null);
    return { ...setting, feePpm, keys, operatorKey };
  });
  const { currency, minorUnitDigits, billingTimeZone, feePpm } = settled;
  if (
    !agrees(config.books.currency, currency) ||
    !agrees(config.books.billingTimeZone, billingTimeZone)
  ) {
    throw new InputError(
      `this market's books are in ${currency} and ${billingTimeZone} since its first start; ` +
        `start it with --currency ${currency} --time-zone ${billingTimeZone}, or with neither`,
    );
  }
  if (config.operatorFeePpm !== undefined && config.operatorFeePpm !== feePpm) {
    log.warn({ feePpm }, "--fee counts at the first start; change it with `sublet account fee`");
  }
  const changes = createLeaseChanges();
  const late: BuiltContext["late"] = { publicUrl: config.publicUrl ?? "", wake: () => undefined };
  const context: ServerContext = {
    db,
    clock,
    log,
    blobs: createFolderBlobStore(config.blobFolder),
    outputs: createFolderBlobStore(config.outputsFolder),
    serverId: settled.serverId,
    keys: liveServerKeys(settled.keys),
    terms: { currency, minorUnitDigits },
    billingTimeZone,
    publicUrl: () => late.publicUrl,
    upSince: now,
    wake: () => late.wake(),
    changes,
    delivery: {
      allowPrivateWebhooks: config.allowPrivateWebhooks,
      mailer: config.mailer,
      attempts: attemptCounter(),
    },
    ...overrides,
  };
  return { context, changes, operatorKey: settled.operatorKey, late };
}

/** All that is promised in the market is promised by this clock. */
function serverClock(log: Logger): Clock {
  return createSteadyClock(systemClock, (stepMs, aheadOfWallMs) => {
    const message = "the wall clock was set; the server keeps its own time until its next start";
    log.warn({ stepMs, aheadOfWallMs }, message);
  });
}

/** What was not said agrees with everything. */
function agrees(wanted: string | undefined, settled: string): boolean {
  return wanted === undefined || wanted === settled;
}
