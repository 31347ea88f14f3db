-- Bills of enabled capacity: what comes late is a correction by itself, and hosts take turns.

-- A time to bill has one bill, and further ones that set it right when what it lacked has come.
drop index bill_capacity;
create index bill_capacity_act on bill (host_id, lender_party_id, act_seq) where kind = 'capacity';
create unique index bill_capacity_number on bill (host_id, lender_party_id, number)
  where kind = 'capacity';

-- Hosts and providers with something that may be billed: when they are looked at next. What comes
-- from a host brings it forward; one that waits, or cannot be billed, stands behind all others.
create table capacity_due (
  host_id text not null references host,
  provider_party_id text not null references party,
  due_at timestamptz not null,
  primary key (host_id, provider_party_id)
);
create index capacity_due_at on capacity_due (due_at);
insert into capacity_due (host_id, provider_party_id, due_at)
  select distinct a.host_id, k.provider_party_id, now()
  from capacity_act a
  join capacity_code k on k.host_id = a.host_id;

-- Running totals, so that a batch costs what is in it and not what came before it.
create table capacity_progress (
  chain_id text primary key references capacity_chain,
  -- Every record up to this one is there.
  contiguous_seq bigint not null check (contiguous_seq >= 0),
  last_seq bigint not null check (last_seq >= contiguous_seq),
  -- The number of the chain's final record, once it is there.
  final_seq bigint
);
create table capacity_period_total (
  chain_id text not null references capacity_chain,
  period_start timestamptz not null,
  -- `allowance`, or `rate` with its interval in seconds; empty of dedicated use.
  rule text not null,
  -- Of its records there: the least number, all cpu time, and what they state as free.
  first_seq bigint not null,
  cpu_ns numeric(30) not null check (cpu_ns >= 0),
  threshold jsonb,
  primary key (chain_id, period_start, rule)
);
create table capacity_drawn (
  code_id text primary key references capacity_code,
  quantity numeric(40) not null check (quantity >= 0)
);
insert into capacity_progress (chain_id, contiguous_seq, last_seq, final_seq)
  select chain_id, coalesce(max(seq) filter (where seq = place), 0), max(seq),
    max(seq) filter (where final)
  from (select r.chain_id, r.seq, r.final,
      row_number() over (partition by r.chain_id order by r.seq) as place
    from usage_record r join capacity_chain using (chain_id)) numbered
  group by chain_id;
insert into capacity_period_total (chain_id, period_start, rule, first_seq, cpu_ns, threshold)
  select chain_id, period_start, rule, min(seq), sum(cpu_ns), (array_agg(threshold order by seq))[1]
  from (select r.chain_id, r.seq, r.cpu_ns,
      (r.record #>> '{capacity,period,start}')::timestamptz as period_start,
      nullif(r.record #> '{capacity,threshold}', 'null') as threshold,
      case r.record #>> '{capacity,threshold,kind}' when 'allowance' then 'allowance'
        when 'rate' then 'rate ' || (r.record #>> '{capacity,threshold,intervalSeconds}')
        else '' end as rule
    from usage_record r join capacity_chain using (chain_id)) told
  group by chain_id, period_start, rule;
insert into capacity_drawn (code_id, quantity)
  select d ->> 'codeId', sum((d ->> 'quantity')::numeric)
  from usage_record r
  join capacity_chain using (chain_id)
  cross join lateral jsonb_array_elements(r.record #> '{capacity,debits}') d
  group by 1;

-- Allowances of a period are held against the most that a host's base ever was: records of a period
-- may come when the host has less.
alter table host add column base_cpu_milli_most integer not null default 0;
update host set base_cpu_milli_most = base_cpu_milli;
create function keep_most_of_base() returns trigger language plpgsql as $$
begin
  new.base_cpu_milli_most := greatest(new.base_cpu_milli_most, new.base_cpu_milli);
  return new;
end $$;
create trigger host_most_of_base before insert or update of base_cpu_milli on host
  for each row execute function keep_most_of_base();
