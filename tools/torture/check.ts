import { join } from "node:path";
import type { Response } from "../../src/api/contract/contract.ts";
import type { BillVerification } from "../../src/billing/verify/verify-bill.ts";
import { DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import { connect } from "../../src/database/connect.ts";
import { startEmbeddedPostgres } from "../../src/database/embedded.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import type { Market } from "../../test/guest/market.ts";
import { processesIn } from "../../test/guest/processes.ts";
import { testLog } from "../../test/setup/log.ts";
import { disorderIn } from "../../test/setup/order.ts";
import { type Borrowing, settled } from "./borrower.ts";
import { compareMetered, settleMetered } from "./check-metered.ts";
import type { Metered } from "./metered.ts";
import type { Owned } from "./owner.ts";
import { traces } from "./traces.ts";
import type { Watch } from "./watch.ts";
import { CLIENTS, DEPOSITED_MICROS } from "./widen.ts";

const SETTLE_MS_MAX = 120_000;

export interface AtRest {
  readonly market: Market;
  readonly metered: Metered;
  readonly watch: Watch;
  readonly leases: readonly Borrowing[];
  readonly owned: Owned;
}

export interface Checked {
  /** A sentence for each thing that does not hold. */
  readonly faults: readonly string[];
  /** Of enabled capacity. */
  readonly records: number;
  readonly bills: number;
}

/**
 * What must hold when everybody has come to rest: as each party sees it, on the hosts, and in the
 * database, for which server and agents are stopped.
 */
export async function faultsOf(atRest: AtRest): Promise<Checked> {
  const { market, metered, watch, leases, owned } = atRest;
  const faults = [...owned.faults, ...(await leaseFaults(market, leases))];
  const settled = await settleMetered(market, metered);
  faults.push(...settled.faults);
  for (const billId of settled.billIds) await billOf(market, "lender", billId, faults);
  faults.push(...(await leftOvers(market, metered)));
  const seen = await watch.stop();
  await Promise.all([market.agent.stop(), metered.agent.stop()]);
  await market.server.stop();
  const records = await inDatabase(market, async (pool) => {
    faults.push(...(await disorderIn(pool, "at-rest")));
    const compared = await compareMetered(pool, metered, seen);
    faults.push(...compared.faults);
    return compared.records;
  });
  faults.push(...traces([...leases.map(({ leaseId }) => leaseId), ...owned.guestIds]));
  return { faults, records, bills: settled.billIds.length };
}

async function leaseFaults(market: Market, leases: readonly Borrowing[]): Promise<string[]> {
  const faults: string[] = [];
  const billedMicros = new Map<string, bigint>();
  for (const borrowing of leases) {
    const { client, leaseId } = borrowing;
    if (!(await settled(market, borrowing, SETTLE_MS_MAX))) {
      faults.push(`${leaseId} is stuck: not ended and billed`);
      continue;
    }
    const { lease } = await market.verbs.do<Response<"showLease">>(
      ...["lease", "show", leaseId, "--as", client],
    );
    if (lease.billId === null) continue;
    const billed = await billOf(market, client, lease.billId, faults);
    billedMicros.set(client, (billedMicros.get(client) ?? 0n) + billed);
  }
  for (const client of CLIENTS) {
    const account = await market.verbs.do<Response<"showAccount">>(
      ...["account", "show", "--as", client],
    );
    if (account.holdsMicros !== "0") faults.push(`${account.holdsMicros} micros are still held`);
    if (BigInt(account.balanceMicros) !== DEPOSITED_MICROS - (billedMicros.get(client) ?? 0n)) {
      faults.push(`${client} has ${account.balanceMicros} and not what deposits less bills make`);
    }
  }
  return faults;
}

/** The bill's total; what keeps it from being verified by `customer` is a fault. */
async function billOf(
  { verbs }: Market,
  customer: string,
  billId: string,
  faults: string[],
): Promise<bigint> {
  const verified = await verbs.ask<BillVerification>("bill", "verify", billId, "--as", customer);
  if (!verified.ok) faults.push(`${billId} cannot be verified: ${verified.message}`);
  else if (!verified.value.verified) {
    const differs = verified.value.findings.filter(({ severity }) => severity === "differs");
    const why = differs.map(({ code, message, where }) => `${code} at ${where}: ${message}`);
    faults.push(`${billId} does not verify: ${why.join("; ")}`);
  }
  const { bill } = await verbs.do<Response<"showBill">>("bill", "show", billId, "--as", customer);
  return BigInt(bill.totalMicros);
}

async function leftOvers(market: Market, metered: Metered): Promise<string[]> {
  const faults: string[] = [];
  const drivers = [market, metered].map(({ guestsFolder: folder }) =>
    createQemuDriver({ folder, log: () => undefined }),
  );
  const guests = (await Promise.all(drivers.map((driver) => driver.list()))).flat();
  if (guests.length > 0) faults.push(`files or processes of ${guests.join(", ")} are left`);
  const qemu = processesIn(market.folder).filter(({ line }) => line.startsWith("qemu-system-"));
  if (qemu.length > 0) faults.push(`${qemu.length} QEMU processes are left`);
  const { partitions } = await market.verbs.do<Response<"listPartitions">>(
    ...["partition", "list", "--as", "lender"],
  );
  for (const { name, inUse } of partitions) {
    if (inUse) faults.push(`partition ${name} is still in use by ${inUse.leaseId}`);
  }
  return faults;
}

/** Nobody else may have it open. */
async function inDatabase<T>(market: Market, work: (pool: Pool) => Promise<T>): Promise<T> {
  const dataFolder = join(market.folder, DEMO_PARTS.server, "database");
  const postgres = await startEmbeddedPostgres({ dataFolder, log: testLog });
  try {
    const database = await connect({ connection: postgres.connection, log: testLog, poolMax: 1 });
    try {
      return await work(database.pool);
    } finally {
      await database.close();
    }
  } finally {
    await postgres.stop();
  }
}

type Pool = Awaited<ReturnType<typeof connect>>["pool"];
