/** What must hold of enabled capacity at any moment. Only hosts that were never set back are asked. */
export const CAPACITY_ALWAYS: Readonly<Record<string, string>> = {
  "an act does not follow the one before": `
    select b.host_id, b.seq from capacity_act a
    join capacity_act b on b.host_id = a.host_id and b.seq = a.seq + 1
    where b.act->>'previousHash' <> a.hash`,
  "a record does not begin where the one before ends": `
    select b.chain_id, b.seq from usage_record a
    join usage_record b on b.chain_id = a.chain_id and b.seq = a.seq + 1
    where b.record->>'previousHash' <> a.hash or b.record->'from' <> a.record->'to'`,
  "a record states more time than passed": `
    select chain_id, seq from usage_record
    where (record->>'deliveredNs')::numeric > (record->>'elapsedNs')::numeric`,
  "a record of capacity is not within its billing period": `
    select r.chain_id, r.seq from usage_record r join capacity_chain using (chain_id)
    where (record #>> '{from,at}')::timestamptz < (record #>> '{capacity,period,start}')::timestamptz
      or (record #>> '{to,at}')::timestamptz > (record #>> '{capacity,period,end}')::timestamptz`,
  "what was metered is not debits and overdraft": `
    select r.chain_id, r.seq from usage_record r join capacity_chain using (chain_id)
    where (record #>> '{capacity,meteredQuantity}')::numeric
      <> (record #>> '{capacity,overdraft}')::numeric
      + (select coalesce(sum((d->>'quantity')::numeric), 0)
         from jsonb_array_elements(record #> '{capacity,debits}') d)`,
  "more was debited from a code than it holds": `
    select c.code_id, sum((d->>'quantity')::numeric)::text as debited
    from usage_record r join capacity_chain using (chain_id)
    cross join jsonb_array_elements(record #> '{capacity,debits}') d
    join capacity_code c on c.code_id = d->>'codeId'
    group by c.code_id, c.code
    having sum((d->>'quantity')::numeric) > (c.code->>'resourceTime')::numeric`,
  // In shared mode each partition of the pool has a chain of the one service.
  "two meters have one standby resource at one instant": `
    with used as (
      select host_id, resource, quantity, service_id,
        tstzrange(min((record #>> '{from,at}')::timestamptz),
          max((record #>> '{to,at}')::timestamptz)) as period
      from usage_record join capacity_chain using (chain_id)
      group by host_id, resource, quantity, service_id)
    select a.service_id from used a
    join used b on b.host_id = a.host_id and b.resource = a.resource and b.period @> lower(a.period)
    join host h on h.host_id = a.host_id
    group by a.service_id, a.resource, h.host_id
    having sum(b.quantity) > case a.resource when 'cpu' then h.standby_cpu_milli
      else h.standby_memory_bytes end`,
  "a partition's shared use was metered twice at one instant": `
    with used as (
      select chain_id, partition_id,
        tstzrange(min((record #>> '{from,at}')::timestamptz),
          max((record #>> '{to,at}')::timestamptz)) as period
      from usage_record join capacity_chain using (chain_id) where mode = 'shared'
      group by chain_id, partition_id)
    select a.chain_id, b.chain_id as other from used a join used b using (partition_id)
    where a.chain_id < b.chain_id and a.period && b.period`,
  "a line of capacity does not take off what was charged before": `
    with line as (
      select b.bill_id, (l->>'chargedMicros')::numeric as taken_off,
        sum((l->>'amountMicros')::numeric) over (
          partition by b.host_id, b.lender_party_id, l #>> '{partition,id}', l->>'mode',
            l->>'resource', l #>> '{period,start}', l->>'rule', l->>'codeId'
          order by (b.document->>'number')::int
          rows between unbounded preceding and 1 preceding) as charged
      from bill b cross join jsonb_array_elements(b.document->'lines') l
      where b.kind = 'capacity')
    select bill_id from line where taken_off <> coalesce(charged, 0)`,
  "a record of capacity is charged in two periods": `
    select r->>'chainId' as chain_id, seq from bill b
    cross join jsonb_array_elements(b.document->'lines') l
    cross join jsonb_array_elements(l->'records') r
    cross join generate_series((r->>'fromSeq')::int, (r->>'toSeq')::int) seq
    where b.kind = 'capacity'
    group by 1, 2 having count(distinct l #>> '{period,start}') > 1`,
};

/** And when everybody has come to rest, and all that was enabled was given back. */
export const CAPACITY_AT_REST: Readonly<Record<string, string>> = {
  "acts of a host are missing":
    "select host_id from capacity_act group by 1 having count(*) <> max(seq)",
  "capacity was not given back": `
    select a.act #>> '{act,serviceId}' as service_id from capacity_act a
    where a.kind = 'service-begun' and not exists (select from capacity_act r
      where r.host_id = a.host_id and r.kind = 'service-returned'
        and r.act #>> '{act,serviceId}' = a.act #>> '{act,serviceId}')`,
  "a meter has no final record": `
    select c.chain_id from capacity_chain c where not exists (select from usage_record r
      where r.chain_id = c.chain_id and (r.record->>'final')::boolean)`,
  "a time to bill has no bill": `
    select a.host_id, a.seq from capacity_act a left join bill b on b.host_id = a.host_id
      and b.act_seq = a.seq and b.lender_party_id = a.act #>> '{act,providerId}'
    where a.kind = 'time-to-bill' and b.bill_id is null`,
  "a record of capacity is on no bill": `
    select r.chain_id, r.seq from usage_record r join capacity_chain c using (chain_id)
    where not exists (select from bill b
      cross join jsonb_array_elements(b.document->'lines') l
      cross join jsonb_array_elements(l->'records') s
      where b.kind = 'capacity' and b.host_id = c.host_id and s->>'chainId' = r.chain_id
        and r.seq between (s->>'fromSeq')::int and (s->>'toSeq')::int)`,
  "an owner's order has no answer": "select order_id from capacity_order where answered_at is null",
};
