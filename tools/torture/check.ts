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
import { traces } from "./traces.ts";
import { CLIENTS, DEPOSITED_MICROS } from "./widen.ts";

const SETTLE_MS_MAX = 120_000;

/**
 * What must hold when everybody has come to rest: as each party sees it, on the host, and in the
 * database, for which server and agent are stopped. Gives a sentence for each thing that does not.
 */
export async function faultsOf(market: Market, leases: readonly Borrowing[]): Promise<string[]> {
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
    const billed = await billOf(market, borrowing, lease.billId, faults);
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
  faults.push(...(await leftOvers(market)));
  faults.push(...(await disorderOf(market)));
  faults.push(...traces(leases.map(({ leaseId }) => leaseId)));
  return faults;
}

async function billOf(
  { verbs }: Market,
  { client }: Borrowing,
  billId: string,
  faults: string[],
): Promise<bigint> {
  const verified = await verbs.ask<BillVerification>("bill", "verify", billId, "--as", client);
  if (!verified.ok) faults.push(`${billId} cannot be verified: ${verified.message}`);
  else if (!verified.value.verified) {
    const differs = verified.value.findings.filter(({ severity }) => severity === "differs");
    const why = differs.map(({ code, message, where }) => `${code} at ${where}: ${message}`);
    faults.push(`${billId} does not verify: ${why.join("; ")}`);
  }
  const { bill } = await verbs.do<Response<"showBill">>("bill", "show", billId, "--as", client);
  return BigInt(bill.totalMicros);
}

async function leftOvers(market: Market): Promise<string[]> {
  const faults: string[] = [];
  const guests = await createQemuDriver({
    folder: market.guestsFolder,
    log: () => undefined,
  }).list();
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

async function disorderOf(market: Market): Promise<string[]> {
  await market.agent.stop();
  await market.server.stop();
  const dataFolder = join(market.folder, DEMO_PARTS.server, "database");
  const postgres = await startEmbeddedPostgres({ dataFolder, log: testLog });
  try {
    const database = await connect({ connection: postgres.connection, log: testLog, poolMax: 1 });
    const disorder = await disorderIn(database.pool, "at-rest");
    await database.close();
    return disorder;
  } finally {
    await postgres.stop();
  }
}
