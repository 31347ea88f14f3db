import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { ShownCapacity } from "../../src/agent/capacity/show.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import type { HashedAct } from "../../src/enablement/capacity/act.ts";
import { type UsageRecord, usageRecordSchema } from "../../src/meter/record.ts";
import type { Market } from "../../test/guest/market.ts";
import { METERED_HOST, type Metered } from "./metered.ts";
import { type Seen, usableNs } from "./watch.ts";

const SETTLE_MS_MAX = 120_000;

/** What the host has said when all is at rest, and its bills. */
export interface Settled {
  readonly acts: readonly HashedAct[];
  readonly billIds: readonly string[];
  readonly faults: readonly string[];
}

/** Waits until the provider has all that the host has said, and has billed all that was to be billed. */
export async function settleMetered({ verbs }: Market, { socket }: Metered): Promise<Settled> {
  const faults: string[] = [];
  const at = ["--agent", socket];
  await verbs.do("capacity", "bill-now", ...at);
  const isReported = await eventually(async () => {
    const { unreported } = await verbs.do<ShownCapacity>("capacity", "show", ...at);
    return unreported.every(
      ({ acts, resources }) => acts === 0 && resources.every(({ quantity }) => quantity === "0"),
    );
  });
  if (!isReported) faults.push("acts or records of the metered host are unreported");
  const { services } = await verbs.do<ShownCapacity>("capacity", "show", ...at);
  if (services.length > 0) faults.push(`${services.length} services are not given back`);
  // Its numbers, links and hashes are checked as they are read.
  const { acts } = await verbs.do<{ acts: HashedAct[] }>("capacity", "history", ...at);
  const due = acts.filter(({ record }) => record.act.kind === "time-to-bill").length;
  let billIds: string[] = [];
  const isBilled = await eventually(async () => {
    billIds = await capacityBills(verbs);
    return billIds.length >= due;
  });
  if (!isBilled) faults.push(`${due} times to bill have ${billIds.length} bills`);
  return { acts, billIds, faults };
}

async function capacityBills(verbs: Market["verbs"]): Promise<string[]> {
  const { bills } = await verbs.do<Response<"listBills">>(
    ..."bill list --limit 200 --as vendor".split(" "),
  );
  return bills
    .filter(({ kind, host }) => kind === "capacity" && host.name === METERED_HOST)
    .map(({ billId }) => billId);
}

async function eventually(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + SETTLE_MS_MAX; performance.now() < end; await sleep(300)) {
    if (await isSo()) return true;
  }
  return false;
}

/**
 * Host and provider have the same acts and records, each once; codes were debited what was metered;
 * and no dedicated record states more time than could be used, as the torture itself saw it. Both
 * processes have ended. `records`: how many of capacity there are.
 */
export async function compareMetered(
  pool: Pick<pg.Pool, "query">,
  { databasePath }: Metered,
  seen: Seen,
): Promise<{ readonly faults: string[]; readonly records: number }> {
  const faults = [...seen.faults];
  const host = new DatabaseSync(databasePath, { readOnly: true });
  try {
    const acts = await pool.query("select seq::int, hash from capacity_act order by seq");
    const own = host.prepare("SELECT seq, hash FROM capacity_act ORDER BY seq").all();
    if (shown(acts.rows) !== shown(own)) {
      faults.push(
        `the provider has ${acts.rows.length} acts and the host ${own.length}, or others`,
      );
    }
    const found = await pool.query<{ record: unknown }>(
      `select record from usage_record join capacity_chain using (chain_id) order by chain_id, seq`,
    );
    const records = found.rows.map(({ record }) => usageRecordSchema.parse(record));
    const used = host.prepare("SELECT chain_id, seq FROM capacity_use ORDER BY 1, 2").all();
    const stored = records.map(({ chainId, seq }) => ({ chain_id: chainId, seq }));
    if (shown(stored) !== shown(used)) {
      faults.push(
        `the provider has ${stored.length} records and the host ${used.length}, or others`,
      );
    }
    const codes = host.prepare("SELECT code_id, debited FROM capacity_code ORDER BY 1").all();
    const debited = debitsOf(records);
    for (const { code_id: codeId, debited: text } of codes) {
      const [stated, sum] = [BigInt(`${text}`), debited.get(`${codeId}`) ?? 0n];
      if (stated !== sum)
        faults.push(`${codeId} was debited ${stated}, and its records say ${sum}`);
    }
    faults.push(...records.flatMap((record) => overcharged(record, seen)));
    return { faults, records: records.length };
  } finally {
    host.close();
  }
}

function debitsOf(records: readonly UsageRecord[]): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { codeId, quantity } of records.flatMap(({ capacity }) => capacity?.debits ?? [])) {
    sums.set(codeId, (sums.get(codeId) ?? 0n) + BigInt(quantity));
  }
  return sums;
}

function overcharged({ chainId, seq, capacity, from, to, deliveredNs }: UsageRecord, seen: Seen) {
  if (capacity?.mode !== "dedicated") return [];
  const span = { fromNs: BigInt(from.monotonicNs), toNs: BigInt(to.monotonicNs) };
  const most = usableNs(span, seen);
  if (BigInt(deliveredNs) <= most) return [];
  return [`record ${seq} of ${chainId} states ${deliveredNs} ns and at most ${most} were usable`];
}

function shown(rows: readonly unknown[]): string {
  return JSON.stringify(rows);
}
