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
