-- Standby that serves leases: codes whose resource-time a host's owner has lent, and what of them is
-- reserved for which lease. A lease has a standby part for the whole of its reservation, or none.

create table lent_code (
  host_id text not null references host,
  code_id text not null check (code_id like 'code\_%'),
  -- Maybe a party of another server.
  provider_party_id text not null,
  resource text not null check (resource in ('cpu', 'memory')),
  -- The most at once, in milliCores or bytes.
  quantity bigint not null check (quantity > 0),
  -- What was left of its resource-time when it was lent: milliCore- or byte-nanoseconds.
  resource_time numeric(40) not null check (resource_time >= 0),
  validity tstzrange not null check (not isempty(validity)),
  -- What had ended by then counts no more: the resource-time was reckoned without it.
  lent_at timestamptz not null,
  -- Its host named it when it last spoke of what it lends. Others are for no new lease.
  reported boolean not null,
  primary key (host_id, code_id)
);

alter table reservation
  add column standby_cpu_milli integer not null default 0,
  add column standby_memory_bytes bigint not null default 0,
  add constraint standby_whole check (
    standby_cpu_milli >= 0 and standby_cpu_milli % 1000 = 0
    and standby_memory_bytes >= 0 and standby_memory_bytes % 134217728 = 0
  ),
  -- Standby is plugged into a guest that has booted with something else.
  add constraint standby_has_base check (
    (standby_cpu_milli = 0 or cpu_milli - standby_cpu_milli >= 1000)
    and (standby_memory_bytes = 0 or memory_bytes - standby_memory_bytes >= 134217728)
  ),
  add constraint standby_for_leases check (
    lease_id is not null or (standby_cpu_milli = 0 and standby_memory_bytes = 0)
  ),
  add constraint reservation_of_host unique (reservation_id, host_id);

-- What a reservation takes of which code, for all of its period.
create table standby_reservation (
  reservation_id text not null,
  host_id text not null,
  code_id text not null,
  -- milliCores or bytes.
  quantity bigint not null check (quantity > 0),
  primary key (reservation_id, code_id),
  foreign key (reservation_id, host_id) references reservation (reservation_id, host_id)
    on delete cascade,
  foreign key (host_id, code_id) references lent_code
);
create index standby_reservation_code on standby_reservation (host_id, code_id);

-- Of a code's resource-time, what leases had since it was lent and what is reserved for them. One
-- that was never granted had nothing. What a lease had is what its reservation was: until its wipe.
create function lent_code_reserved(the_host_id text, the_code_id text) returns numeric
language sql stable as $$
  select coalesce(sum(s.quantity
      * extract(epoch from upper(r.period) - lower(r.period)) * 1000000000), 0)::numeric(60)
    from standby_reservation s
    join lent_code c using (host_id, code_id)
    join reservation r using (reservation_id)
    join lease l using (lease_id)
    where s.host_id = the_host_id and s.code_id = the_code_id and upper(r.period) > c.lent_at
      and not (l.state = 'ended' and l.grant_jws is null)
$$;

-- The most that is taken of a code at once during a period.
create function lent_code_peak(the_host_id text, the_code_id text, during tstzrange) returns bigint
language sql stable as $$
  with taken as (
    select s.quantity, r.period from standby_reservation s join reservation r using (reservation_id)
      where s.host_id = the_host_id and s.code_id = the_code_id and r.period && during
  ), instants as (
    select distinct greatest(lower(period), lower(during)) as at from taken
  )
  select coalesce(max(total), 0)::bigint from (
    select sum(t.quantity) as total from instants i join taken t on t.period @> i.at group by i.at
  ) sums
$$;

-- Whether new leases may have of it: its host lends it, and its owner has not asked to keep it.
create function lent_code_open(the_host_id text, the_code_id text) returns boolean
language sql stable as $$
  select reported and not exists (select 1 from capacity_order o
      where o.host_id = the_host_id and o.outcome is null and o.ordered ->> 'kind' = 'keep'
        and o.ordered ->> 'codeId' = the_code_id)
    from lent_code where host_id = the_host_id and code_id = the_code_id
$$;

create function refuse_standby(the_reservation_id text, rule text, why text) returns void
language plpgsql as $$
begin
  raise exception 'the standby part of % %', the_reservation_id, why
    using errcode = 'SL002', constraint = rule;
end $$;

-- Invariant: what a reservation has of standby is installed, and lent to it by codes that are valid
-- all the time, have that much at once, and have the resource-time for all of it. A guest that is not
-- wiped in time has what it has: of validity and resource-time it overruns.
create function check_standby(the_reservation_id text, overruns boolean) returns void
language plpgsql as $$
declare
  own reservation%rowtype;
  the_host host%rowtype;
  part record;
begin
  select * into own from reservation where reservation_id = the_reservation_id;
  if not found then return; end if;
  -- The host's lock makes writers take turns.
  select * into strict the_host from host where host_id = own.host_id for update;
  select coalesce(sum(s.quantity) filter (where c.resource = 'cpu'), 0) as cpu_milli,
      coalesce(sum(s.quantity) filter (where c.resource = 'memory'), 0) as memory_bytes
    into part
    from standby_reservation s join lent_code c using (host_id, code_id)
    where s.reservation_id = the_reservation_id;
  if part.cpu_milli <> own.standby_cpu_milli or part.memory_bytes <> own.standby_memory_bytes then
    perform refuse_standby(the_reservation_id, 'standby_by_code', 'is not what its codes give');
  end if;
  perform 1 from partition where partition_id = own.partition_id and cpu_mode = 'dedicated';
  if not found then
    perform refuse_standby(the_reservation_id, 'standby_dedicated', 'would be of shared cpu');
  end if;
  perform 1 from (select distinct greatest(lower(period), lower(own.period), now()) as at
      from reservation where host_id = own.host_id and period && own.period) p
    join reservation r on r.host_id = own.host_id and r.period @> p.at
    group by p.at
    having sum(r.standby_cpu_milli) > the_host.standby_cpu_milli
      or sum(r.standby_memory_bytes) > the_host.standby_memory_bytes;
  if found then
    perform refuse_standby(the_reservation_id, 'standby_capacity', 'is more than is installed');
  end if;
  for part in select c.* from standby_reservation s join lent_code c using (host_id, code_id)
      where s.reservation_id = the_reservation_id loop
    if lent_code_peak(part.host_id, part.code_id, own.period) > part.quantity then
      perform refuse_standby(the_reservation_id, 'lent_code_quantity',
        'is more than ' || part.code_id || ' has');
    end if;
    continue when overruns;
    if not own.period <@ part.validity then
      perform refuse_standby(the_reservation_id, 'lent_code_validity', 'outlasts ' || part.code_id);
    end if;
    if lent_code_reserved(part.host_id, part.code_id) > part.resource_time then
      perform refuse_standby(the_reservation_id, 'lent_code_time',
        'needs more resource-time than ' || part.code_id || ' has');
    end if;
  end loop;
end $$;

create function check_reserved_standby() returns trigger language plpgsql as $$
declare
  is_same boolean := false;
begin
  if tg_op = 'UPDATE' then
    is_same := (old.standby_cpu_milli, old.standby_memory_bytes)
      = (new.standby_cpu_milli, new.standby_memory_bytes);
  else
    is_same := new.standby_cpu_milli = 0 and new.standby_memory_bytes = 0;
  end if;
  if is_same and (new.standby_cpu_milli = 0 and new.standby_memory_bytes = 0
      or tg_op = 'UPDATE' and old.period @> new.period) then
    return null;
  end if;
  perform check_standby(new.reservation_id,
    tg_op = 'UPDATE' and is_same and lower(old.period) = lower(new.period)
    and exists (select 1 from lease l where l.lease_id = new.lease_id
      and l.state in ('preparing', 'ready', 'ending') and upper(old.period) > upper(l.period))
    and not exists (select 1 from lease_extension x
      where x.lease_id = new.lease_id and x.state = 'pending'));
  return null;
end $$;

create constraint trigger reservation_standby
  after insert or update on reservation
  deferrable initially deferred
  for each row execute function check_reserved_standby();

-- A code that is closed for new leases serves those that have of it, and no other.
create function check_standby_part() returns trigger language plpgsql as $$
begin
  if not lent_code_open(new.host_id, new.code_id) then
    perform refuse_standby(new.reservation_id, 'lent_code_closed',
      'is of ' || new.code_id || ', which is lent no more');
  end if;
  perform check_standby(new.reservation_id, false);
  return null;
end $$;

create constraint trigger standby_reservation_part
  after insert on standby_reservation
  deferrable initially deferred
  for each row execute function check_standby_part();

-- Taken at the booking, for good: it goes with its reservation.
create function guard_standby_part() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform 1 from reservation r join lease l using (lease_id)
      where r.reservation_id = new.reservation_id and l.state = 'booked';
    if found then return new; end if;
  elsif tg_op = 'DELETE' then
    perform 1 from reservation where reservation_id = old.reservation_id;
    if not found then return old; end if;
  end if;
  raise exception 'the standby part of a reservation is taken at the booking'
    using errcode = 'SL003', constraint = 'standby_fixed';
end $$;

create trigger standby_reservation_guard before insert or update or delete on standby_reservation
  for each row execute function guard_standby_part();

create trigger standby_reservation_keep before truncate on standby_reservation
  for each statement execute function refuse_change();
create trigger lent_code_keep before truncate on lent_code
  for each statement execute function refuse_change();

-- What is promised of a code is not taken back by a host that lends less of it.
create function check_lent_code() returns trigger language plpgsql as $$
begin
  if (old.host_id, old.code_id, old.resource) is distinct from (new.host_id, new.code_id, new.resource)
    or lent_code_reserved(new.host_id, new.code_id) > new.resource_time
    or lent_code_peak(new.host_id, new.code_id, tstzrange(now(), null)) > new.quantity
    or exists (select 1 from standby_reservation s join reservation r using (reservation_id)
      join lease l using (lease_id) where s.host_id = new.host_id and s.code_id = new.code_id
        and l.state <> 'ended' and not r.period <@ new.validity) then
    raise exception 'more of % is reserved than that', new.code_id
      using errcode = 'SL002', constraint = 'lent_code_reserved';
  end if;
  return null;
end $$;

create trigger lent_code_kept after update on lent_code for each row
  when ((old.host_id, old.code_id, old.resource, old.quantity, old.resource_time, old.validity, old.lent_at)
    is distinct from
    (new.host_id, new.code_id, new.resource, new.quantity, new.resource_time, new.validity, new.lent_at))
  execute function check_lent_code();

-- As before, but for standby: only what is left of a reservation is the base's.
create or replace function check_capacity() returns trigger language plpgsql as $$
declare
  the_host host%rowtype;
  worst record;
begin
  -- The host's lock makes writers take turns; only a fresh snapshot then shows what others wrote.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'reservations change under read committed only'
      using errcode = 'SL003', constraint = 'reservation_isolation';
  end if;
  select * into strict the_host from host
    where host_id = coalesce(new.host_id, old.host_id) for update;
  select p.at into worst
    from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = the_host.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = the_host.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli - r.standby_cpu_milli) > the_host.base_cpu_milli
      or sum(r.memory_bytes - r.standby_memory_bytes) > the_host.base_memory_bytes
      or sum(r.disk_bytes) > the_host.base_disk_bytes
    order by p.at limit 1;
  if found then
    raise exception 'host % would hold more than it has at %', the_host.name, worst.at
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return null;
end $$;

create or replace function check_host_shrink() returns trigger language plpgsql as $$
begin
  perform 1 from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = new.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = new.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli - r.standby_cpu_milli) > new.base_cpu_milli
      or sum(r.memory_bytes - r.standby_memory_bytes) > new.base_memory_bytes
      or sum(r.disk_bytes) > new.base_disk_bytes;
  if found then
    raise exception 'host % would have less than is reserved on it', new.name
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return new;
end $$;

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
        old.disk_bytes, old.standby_cpu_milli, old.standby_memory_bytes, lower(old.period))
      is distinct from
       (new.host_id, new.partition_id, new.lease_id, new.cpu_milli, new.memory_bytes,
        new.disk_bytes, new.standby_cpu_milli, new.standby_memory_bytes, lower(new.period))
    or (old.lease_id = held_by and upper(new.period) < upper(old.period)
      and upper(new.period) <= (select upper(period) from lease where lease_id = held_by))) then
    perform refuse_in_use(old.partition_id, held_by);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
