import type { Logger } from "pino";
import type { ServerContext } from "../api/context.ts";
import type { Database } from "../database/connect.ts";
import { transaction } from "../database/transaction.ts";
import { ensureServerKeys } from "../enablement/signing-key-store.ts";
import { createFolderBlobStore } from "../image/blob-store.ts";
import { systemClock } from "../unit/clock.ts";
import { InputError } from "../unit/quantity.ts";
import type { ServerConfig } from "./config.ts";
import { createLeaseChanges, type LeaseChangeHub } from "./lease-changes.ts";
import { addOperatorKey, ensureOperator, ensureSetting, updateFee } from "./setup-store.ts";

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
  const clock = overrides.clock ?? systemClock;
  const now = clock.now();
  const settled = await transaction(db, async (tx) => {
    const setting = await ensureSetting(tx, config.books, now);
    const fee = config.operatorFeePpm ?? setting.operatorFeePpm;
    if (fee !== setting.operatorFeePpm) await updateFee(tx, fee);
    const keys = await ensureServerKeys(tx, now);
    const firstKey = await ensureOperator(tx, now);
    const operatorKey = firstKey ?? (config.newOperatorKey ? await addOperatorKey(tx, now) : null);
    return { ...setting, operatorFeePpm: fee, keys, operatorKey };
  });
  const { currency, minorUnitDigits, billingTimeZone, operatorFeePpm } = settled;
  if (
    !agrees(config.books.currency, currency) ||
    !agrees(config.books.billingTimeZone, billingTimeZone)
  ) {
    throw new InputError(
      `this market's books are in ${currency} and ${billingTimeZone} since its first start; ` +
        `start it with --currency ${currency} --time-zone ${billingTimeZone}, or with neither`,
    );
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
    keys: settled.keys,
    terms: { currency, minorUnitDigits, operatorFeePpm },
    billingTimeZone,
    publicUrl: () => late.publicUrl,
    upSince: now,
    wake: () => late.wake(),
    changes,
    ...overrides,
  };
  return { context, changes, operatorKey: settled.operatorKey, late };
}

/** What was not said agrees with everything. */
function agrees(wanted: string | undefined, settled: string): boolean {
  return wanted === undefined || wanted === settled;
}
