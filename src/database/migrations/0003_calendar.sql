-- The calendar: leases are extended, and wait for their predecessor's wipe.

-- Copied from the offer at the booking: how long the lease may become, extensions included.
alter table lease add column lease_seconds_max integer check (lease_seconds_max > 0);
update lease set lease_seconds_max = o.lease_seconds_max from offer o where o.offer_id = lease.offer_id;
alter table lease alter column lease_seconds_max set not null;

create function guard_lease_length() returns trigger language plpgsql as $$
begin
  raise exception 'the terms of lease % are fixed', old.lease_id
    using errcode = 'SL003', constraint = 'lease_terms';
end $$;

create trigger lease_length_guard before update on lease for each row
  when (old.lease_seconds_max is distinct from new.lease_seconds_max)
  execute function guard_lease_length();

-- A longer lease. It is pending, and not charged, until the host has acknowledged its code.
create table lease_extension (
  extension_id text primary key check (extension_id like 'extension\_%'),
  lease_id text not null references lease,
  -- Of the extension as the client sent it: the same id with another content is refused.
  request_sha256 text not null,
  state text not null check (state in ('pending', 'in-force', 'lapsed')),
  -- The code and its number among the lease's grants; null for a lease that was not granted yet,
  -- whose first grant says it all.
  sequence integer check (sequence > 1),
  grant_jws text,
  ends_before timestamptz not null,
  ends_at timestamptz not null check (ends_at > ends_before),
  -- Of the whole lease, once this is in force.
  quote jsonb not null,
  -- What it adds to the hold.
  additional_micros bigint not null check (additional_micros >= 0),
  reason text,
  acknowledgement_jws text,
  created_at timestamptz not null,
  settled_at timestamptz,
  check ((grant_jws is null) = (sequence is null)),
  check ((state = 'pending') = (settled_at is null)),
  check (state <> 'pending' or grant_jws is not null),
  -- What was granted is in force by the host's own signed word alone.
  constraint extension_acknowledged check (
    state <> 'in-force' or grant_jws is null or acknowledgement_jws is not null
  ),
  constraint extension_sequence unique (lease_id, sequence)
);
create unique index extension_pending on lease_extension (lease_id) where state = 'pending';

create function guard_extension() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'an extension is never deleted' using errcode = 'SL003';
  end if;
  -- A lapsed one comes back only when its host proves that it had acknowledged it in time.
  if old.state = 'in-force' or (new.state = 'pending' and old.state <> 'pending')
    or (old.extension_id, old.lease_id, old.request_sha256, old.sequence, old.grant_jws,
        old.ends_before, old.ends_at, old.additional_micros)
      is distinct from
       (new.extension_id, new.lease_id, new.request_sha256, new.sequence, new.grant_jws,
        new.ends_before, new.ends_at, new.additional_micros) then
    raise exception 'extension % is fixed', old.extension_id
      using errcode = 'SL003', constraint = 'extension_fixed';
  end if;
  return new;
end $$;

create trigger extension_guard before update or delete on lease_extension
  for each row execute function guard_extension();

-- As before, but for the end: a lease's own reservation keeps its size, and its end may move to any
-- instant that does not cut into the lease's period. So an extension that lapses gives back what it
-- reserved, and nothing more.
create or replace function freeze_reservation() returns trigger language plpgsql as $$
declare
  held_by text;
begin
  if tg_op = 'INSERT' then
    held_by := partition_in_use(new.partition_id);
    if held_by is not null and new.lease_id is distinct from held_by
        and lower(new.period) < (select upper(period) from reservation where lease_id = held_by)
    then
      perform refuse_in_use(new.partition_id, held_by);
    end if;
    return new;
  end if;
  held_by := partition_in_use(old.partition_id);
  if held_by is not null and (old.lease_id = held_by or old.period @> now()) and (tg_op = 'DELETE'
    or (old.host_id, old.partition_id, old.lease_id, old.cpu_milli, old.memory_bytes,
        old.disk_bytes, lower(old.period))
      is distinct from
       (new.host_id, new.partition_id, new.lease_id, new.cpu_milli, new.memory_bytes,
        new.disk_bytes, lower(new.period))
    or (old.lease_id = held_by and upper(new.period) < upper(old.period)
      and upper(new.period) <= (select upper(period) from lease where lease_id = held_by))) then
    perform refuse_in_use(old.partition_id, held_by);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
