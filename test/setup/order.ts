import type pg from "pg";
import { CAPACITY_ALWAYS, CAPACITY_AT_REST } from "./capacity-order.ts";

/** What must hold in the database at any moment, whoever did what at once. */
const ALWAYS: Readonly<Record<string, string>> = {
  "two leases hold one partition at one instant": `
    select a.lease_id, b.lease_id as other from lease a join lease b using (partition_id)
    where a.lease_id < b.lease_id and a.period && b.period`,
  "two leases are in one partition": `
    select partition_id from lease where state in ('preparing', 'ready', 'ending')
    group by 1 having count(*) > 1`,
  "a partition has two allocations at one instant": `
    select a.partition_id, a.period from reservation a join reservation b using (partition_id)
    where a.reservation_id < b.reservation_id and a.period && b.period`,
  "a partition stands without an allocation": `
    select p.name from partition p where p.removed_at is null and not p.carved and not exists
      (select from reservation r where r.partition_id = p.partition_id and r.period @> now())`,
  "more is reserved than the host has": `
    select at, h.name from (select distinct host_id, lower(period) as at from reservation) p
    join host h using (host_id) join reservation r on r.host_id = p.host_id and r.period @> p.at
    where p.at >= now() or upper(r.period) > now()
    group by at, h.host_id having sum(r.cpu_milli) > base_cpu_milli
      or sum(r.memory_bytes) > base_memory_bytes or sum(r.disk_bytes) > base_disk_bytes`,
  "a hold is not what the quote and pending extensions make": `
    select l.lease_id, l.state, h.amount_micros from lease l join hold h using (lease_id)
    where h.released_at is null and h.amount_micros <> (l.quote->>'totalMicros')::bigint
      + (select coalesce(sum(x.additional_micros), 0) from lease_extension x
        where x.lease_id = l.lease_id and x.state = 'pending')`,
  "something is held for what is billed or cancelled": `
    select l.lease_id from lease l join hold h using (lease_id)
    left join bill b on b.lease_id = l.lease_id
    where h.released_at is null and (b.bill_id is not null or l.outcome = 'cancelled')`,
  "a lease that ends still waits for an extension": `
    select extension_id from lease_extension x join lease l using (lease_id)
    where x.state = 'pending' and l.state = 'ended'`,
  "a granted lease ended without its wipe receipt": `
    select lease_id from lease where state = 'ended' and grant_jws is not null
      and wipe_receipt_jws is null and removal_jws is null`,
  "a lease has not one end with one reason": `
    select l.lease_id, count(e.*) from lease l
    left join lease_event e on e.lease_id = l.lease_id and e.kind = 'ended'
    where l.state = 'ended' group by 1 having count(e.*) <> 1 or count(e.reason) <> 1`,
  "a chain of records has a gap": `
    select chain_id from usage_record group by 1 having count(*) <> max(seq)`,
  "debits are not credits": `
    select transaction_id from ledger_entry group by 1 having sum(amount_micros) <> 0`,
  "a bill is not what its client paid for it": `
    select b.bill_id from bill b
    left join ledger_transaction t on t.cause = b.bill_id
    left join account a on a.party_id = b.client_party_id and a.kind = 'funds'
    left join ledger_entry e using (transaction_id, account_id)
    where coalesce(-e.amount_micros, 0) <> b.total_micros`,
  "a bill is above its quote": `
    select b.bill_id from bill b join lease l using (lease_id)
    where b.total_micros > (l.quote->>'totalMicros')::bigint`,
};

/** And when everybody has come to rest. */
const AT_REST: Readonly<Record<string, string>> = {
  "a lease is stuck": "select lease_id, state from lease where state <> 'ended'",
  "a granted lease has no bill": `
    select l.lease_id from lease l left join bill b using (lease_id)
    where l.grant_jws is not null and b.bill_id is null`,
  "something is still held": "select lease_id, amount_micros from hold where released_at is null",
  "an extension is still pending":
    "select extension_id from lease_extension where state = 'pending'",
  "records of a lease are missing": `
    select l.lease_id, l.usage_seq_final from lease l
    where l.usage_seq_final is not null and l.usage_seq_final <>
      (select count(*) from usage_record r where r.chain_id = l.lease_id)`,
};

/** A sentence for each thing in the database that is not as it must be. */
export async function disorderIn(
  pool: Pick<pg.Pool, "query">,
  when: "always" | "at-rest",
): Promise<string[]> {
  const found: string[] = [];
  const always = { ...ALWAYS, ...CAPACITY_ALWAYS };
  const rules = when === "at-rest" ? { ...always, ...AT_REST, ...CAPACITY_AT_REST } : always;
  for (const [what, question] of Object.entries(rules)) {
    const { rows } = await pool.query(question);
    if (rows.length === 0) continue;
    const shown = JSON.stringify(rows.slice(0, 3), (_key, value) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    found.push(`${what}: ${shown}`);
  }
  return found;
}
