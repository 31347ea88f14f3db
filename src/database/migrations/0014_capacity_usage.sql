-- What hosts say of enabled capacity: their acts, and records of chains that no lease has; and the
-- bills that providers make of them.

-- Acts as the host's agent signed them, with the head that it had then.
create table capacity_act_batch (
  batch_id text primary key check (batch_id like 'batch\_%'),
  host_id text not null references host,
  jws text not null,
  head_seq bigint not null check (head_seq >= 0),
  head_hash text not null check (head_hash ~ '^[0-9a-f]{64}$'),
  head_at timestamptz not null,
  head_run_ns numeric(30) not null check (head_run_ns >= 0),
  received_at timestamptz not null
);
create index capacity_act_batch_host on capacity_act_batch (host_id, head_seq);

create table capacity_act (
  host_id text not null references host,
  seq bigint not null check (seq > 0),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  batch_id text not null references capacity_act_batch,
  kind text not null,
  act jsonb not null,
  received_at timestamptz not null,
  primary key (host_id, seq)
);
create index capacity_act_kind on capacity_act (host_id, kind, seq);

-- A partition's meter of enabled capacity: what the acts that began it and its service say.
create table capacity_chain (
  chain_id text primary key check (chain_id like 'chain\_%'),
  host_id text not null references host,
  act_seq bigint not null,
  service_id text not null,
  provider_party_id text not null references party,
  code_id text not null references capacity_code,
  partition_id text not null,
  partition_name text not null,
  mode text not null check (mode in ('dedicated', 'shared')),
  resource text not null check (resource in ('cpu', 'memory')),
  quantity bigint not null check (quantity > 0),
  foreign key (host_id, act_seq) references capacity_act
);
create index capacity_chain_host on capacity_chain (host_id, act_seq);

create trigger capacity_act_batch_append before update or delete on capacity_act_batch
  for each row execute function refuse_change();
create trigger capacity_act_append before update or delete on capacity_act
  for each row execute function refuse_change();
create trigger capacity_chain_append before update or delete on capacity_chain
  for each row execute function refuse_change();
create trigger capacity_act_batch_keep before truncate on capacity_act_batch
  execute function refuse_change();
create trigger capacity_act_keep before truncate on capacity_act execute function refuse_change();
create trigger capacity_chain_keep before truncate on capacity_chain
  execute function refuse_change();

-- A chain is a lease's or one of enabled capacity; neither is ever deleted.
alter table usage_batch drop constraint usage_batch_chain_id_fkey;
alter table usage_record drop constraint usage_record_chain_id_fkey;
create function check_chain() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from lease where lease_id = new.chain_id)
      and not exists (select 1 from capacity_chain where chain_id = new.chain_id) then
    raise exception '% is no chain that is known', new.chain_id
      using errcode = 'SL004', constraint = 'chain_known';
  end if;
  return new;
end $$;
create trigger usage_batch_chain before insert on usage_batch
  for each row execute function check_chain();
create trigger usage_record_chain before insert on usage_record
  for each row execute function check_chain();

-- A bill of capacity is for one time to bill of a host, not for a lease.
alter table bill
  alter column lease_id drop not null,
  add column act_seq bigint check (act_seq > 0),
  drop constraint bill_kind_check,
  add constraint bill_kind_check check (kind in ('interim', 'final', 'correction', 'capacity')),
  add constraint bill_of check ((kind = 'capacity') = (lease_id is null)
    and (kind = 'capacity') = (act_seq is not null));
create unique index bill_capacity on bill (host_id, lender_party_id, act_seq)
  where kind = 'capacity';

-- A provider wants what was used until now billed now; the host answers by a time to bill.
create table capacity_demand (
  host_id text not null references host,
  provider_party_id text not null references party,
  demanded_at timestamptz not null,
  primary key (host_id, provider_party_id)
);

-- What a host's owner orders from elsewhere; its agent does it as if it were typed there.
create table capacity_order (
  order_id text primary key check (order_id like 'order\_%'),
  host_id text not null references host,
  ordered jsonb not null,
  ordered_by text not null references party,
  ordered_at timestamptz not null,
  -- `done`, or the name of the refusal; null until the agent has answered.
  outcome text,
  message text,
  answered_at timestamptz,
  check ((outcome is null) = (answered_at is null) and (outcome is null) = (message is null))
);
create index capacity_order_host on capacity_order (host_id, order_id);
