-- Hosts over time: heard or not, drained, in maintenance, removed; and the keys of their agents.

alter table host
  -- What was last told of it by events, and since when that is so: for one that is not heard, since
  -- it was last heard. `hostState` reckons what is so at this instant.
  add column presence text not null default 'seen' check (presence in ('seen', 'late', 'lost')),
  add column presence_since timestamptz,
  -- No new leases; those that exist go on.
  add column drained_at timestamptz,
  -- No lease during it; without an end until it is lifted.
  add column maintenance_from timestamptz,
  add column maintenance_until timestamptz,
  add column removed_at timestamptz,
  add constraint host_maintenance_period
    check (maintenance_until is null or coalesce(maintenance_until > maintenance_from, false)),
  drop constraint host_lender_party_id_name_key;
-- The name of a host that was removed is free again.
create unique index host_name on host (lender_party_id, name) where removed_at is null;

-- Keys of a host's agent: a lease is signed with the one that its grant names, also after a later
-- one has taken its place.
create table host_key (
  kid text primary key,
  host_id text not null references host,
  public_jwk jsonb not null,
  from_at timestamptz not null,
  -- From then on nobody is let in with it.
  until_at timestamptz
);
create unique index host_key_current on host_key (host_id) where until_at is null;
insert into host_key (kid, host_id, public_jwk, from_at)
  select agent_public_jwk ->> 'kid', host_id, agent_public_jwk, coalesce(enrolled_at, created_at)
  from host where agent_public_jwk is not null;

-- A host that its lender declared dead sends no wipe receipt. The server's signed statement that it
-- was removed stands in its place, and only together with the removal itself.
alter table lease
  add column removal_jws text,
  drop constraint lease_wiped_before_ended,
  add constraint lease_wiped_before_ended check (
    state <> 'ended' or grant_jws is null or coalesce(wipe_receipt_jws, '') like '%.%.%'
      or coalesce(removal_jws, '') like '%.%.%'
  );

create function check_removal() returns trigger language plpgsql as $$
begin
  perform 1 from host where host_id = new.host_id and removed_at is not null;
  if not found then
    raise exception 'lease % ends by a removal of a host that is not removed', new.lease_id
      using errcode = 'SL003', constraint = 'lease_removal';
  end if;
  return null;
end $$;

create constraint trigger lease_removal after insert or update of removal_jws on lease
  deferrable initially deferred
  for each row when (new.removal_jws is not null) execute function check_removal();

create function guard_host() returns trigger language plpgsql as $$
declare
  in_the_way text;
begin
  if old.removed_at is not null and new.removed_at is distinct from old.removed_at then
    raise exception 'host % was removed for good', old.host_id
      using errcode = 'SL003', constraint = 'host_removed';
  end if;
  if old.removed_at is null and new.removed_at is not null then
    select lease_id into in_the_way from lease
      where host_id = old.host_id and state <> 'ended' limit 1;
    if found then
      raise exception 'host % has open leases', old.host_id
        using errcode = 'SL001', constraint = 'host_in_use', detail = in_the_way;
    end if;
    perform 1 from partition where host_id = old.host_id and removed_at is null;
    if found then
      raise exception 'host % still has partitions', old.host_id
        using errcode = 'SL003', constraint = 'host_partitions';
    end if;
  end if;
  if new.maintenance_from is not null
    and (old.maintenance_from, old.maintenance_until)
      is distinct from (new.maintenance_from, new.maintenance_until) then
    select lease_id into in_the_way from reservation
      where host_id = old.host_id and lease_id is not null
        and period && tstzrange(new.maintenance_from, new.maintenance_until) limit 1;
    if found then
      raise exception 'host % is leased during that maintenance', old.host_id
        using errcode = 'SL001', constraint = 'host_maintenance', detail = in_the_way;
    end if;
  end if;
  return new;
end $$;

create trigger host_guard before update on host
  for each row execute function guard_host();

-- Whatever books or extends, and however: no lease begins or gets longer on a host that is drained,
-- in maintenance then (turnaround included), or removed. A guest that overruns its time goes on
-- holding what it has: that prolongs its reservation and not its lease.
create function refuse_closed_host(the_host_id text, the_period tstzrange) returns void
language plpgsql as $$
declare
  the_host host%rowtype;
  closed_by text;
begin
  select * into strict the_host from host where host_id = the_host_id for update;
  closed_by := case
    when the_host.removed_at is not null then 'host_removed'
    when the_host.drained_at is not null then 'host_drained'
    when the_host.maintenance_from is not null
      and the_period && tstzrange(the_host.maintenance_from, the_host.maintenance_until)
      then 'host_maintenance'
  end;
  if closed_by is not null then
    raise exception 'host % takes no lease then', the_host.name
      using errcode = 'SL001', constraint = closed_by;
  end if;
end $$;

create function check_reserved_host() returns trigger language plpgsql as $$
begin
  perform refuse_closed_host(new.host_id, new.period);
  return new;
end $$;

create trigger reservation_host_open before insert on reservation
  for each row when (new.lease_id is not null) execute function check_reserved_host();

create function check_leased_host() returns trigger language plpgsql as $$
begin
  if old.removal_jws is not null and new.removal_jws is distinct from old.removal_jws then
    raise exception 'the removal of lease % is stated for good', old.lease_id
      using errcode = 'SL003', constraint = 'lease_terms';
  end if;
  if not old.period @> new.period then
    perform refuse_closed_host(new.host_id, new.period);
  end if;
  return new;
end $$;

create trigger lease_host_open before update of period, removal_jws on lease
  for each row execute function check_leased_host();

-- What was removed is never lent again.
create function guard_partition_removal() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.removed_at is not null and new.removed_at is null then
    raise exception 'partition % was removed for good', old.partition_id
      using errcode = 'SL003', constraint = 'partition_removed';
  end if;
  if new.removed_at is null then
    perform 1 from host where host_id = new.host_id and removed_at is not null;
    if found then
      raise exception 'host % was removed', new.host_id
        using errcode = 'SL003', constraint = 'host_removed';
    end if;
  end if;
  return new;
end $$;

create trigger partition_removal before insert or update on partition
  for each row execute function guard_partition_removal();

-- A key was the host's from then on: only its end is written later.
create function guard_host_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.until_at is not null
      or (old.kid, old.host_id, old.public_jwk, old.from_at)
        is distinct from (new.kid, new.host_id, new.public_jwk, new.from_at) then
    raise exception 'a key of a host is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;

create trigger host_key_guard before update or delete on host_key
  for each row execute function guard_host_key();
create trigger host_key_keep before truncate on host_key
  for each statement execute function refuse_change();
