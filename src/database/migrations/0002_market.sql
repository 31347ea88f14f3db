-- The market in full: conditions of an offer, offers to carve from a host, shared cpu by use.

-- Offers ---------------------------------------------------------------------------------------

-- An offer of a partition names it; an offer to carve from a host has none, and limits instead.
alter table offer add column host_id text references host;
update offer set host_id = (select host_id from partition p where p.partition_id = offer.partition_id);
alter table offer alter column host_id set not null;
alter table offer alter column partition_id drop not null;
alter table offer
  add column price_micros_per_shared_core_hour bigint not null default 0
    check (price_micros_per_shared_core_hour >= 0),
  -- Weekly ranges, [{days, from, to}], read in the time zone; none: always.
  add column windows jsonb not null default '[]' check (jsonb_typeof(windows) = 'array'),
  add column time_zone text not null default 'UTC',
  add column borrowers text not null default 'everyone'
    check (borrowers in ('everyone', 'only', 'except')),
  add column borrower_party_ids text[] not null default '{}',
  add column labels jsonb not null default '{}' check (jsonb_typeof(labels) = 'object'),
  add column internet boolean not null default false,
  -- The most that carved partitions of the host may have at once.
  add column carve_cpu_mode text check (carve_cpu_mode in ('dedicated', 'shared')),
  add column carve_max_cpu_milli integer check (carve_max_cpu_milli > 0),
  add column carve_max_memory_bytes bigint check (carve_max_memory_bytes > 0),
  add column carve_max_disk_bytes bigint check (carve_max_disk_bytes >= 0),
  add constraint offer_of_one_kind check (
    (partition_id is not null) = (carve_cpu_mode is null)
    and (carve_cpu_mode is null) = (carve_max_cpu_milli is null)
    and (carve_cpu_mode is null) = (carve_max_memory_bytes is null)
    and (carve_cpu_mode is null) = (carve_max_disk_bytes is null)
  );
create unique index offer_carve_in_force on offer (host_id)
  where partition_id is null and withdrawn_at is null;

-- Leases ---------------------------------------------------------------------------------------

-- Whether the guest may reach the internet; the grant carries it.
alter table lease add column internet boolean not null default false;

-- Carved partitions ----------------------------------------------------------------------------

-- Made at a booking, to the size that was wanted; it exists for its one lease.
alter table partition add column carved boolean not null default false;

-- Invariant: at any instant the carved partitions of a host never have more than its lender lets
-- be carved. What was promised under an earlier offer stays; what is new is counted with it. The
-- limit is that of the offer in force, or the lease's own once there is none.
create function check_carved() returns trigger language plpgsql as $$
declare
  own offer%rowtype;
  in_force offer%rowtype;
  worst record;
begin
  if not (select carved from partition where partition_id = new.partition_id) then
    return null;
  end if;
  if new.lease_id is null then
    raise exception 'carved partition % has no standing reservation', new.partition_id
      using errcode = 'SL002', constraint = 'carved_for_lease_only';
  end if;
  if tg_op = 'UPDATE' and old.period @> new.period and old.cpu_milli = new.cpu_milli
      and old.memory_bytes = new.memory_bytes and old.disk_bytes = new.disk_bytes then
    return null;
  end if;
  perform 1 from host where host_id = new.host_id for update;
  select o.* into own from lease l join offer o using (offer_id) where l.lease_id = new.lease_id;
  select o.* into in_force from offer o
    where o.host_id = new.host_id and o.partition_id is null and o.withdrawn_at is null;
  if not found then in_force := own; end if;
  select p.at into worst
    from (select distinct greatest(lower(r.period), lower(new.period)) as at
      from reservation r join partition c using (partition_id)
      where r.host_id = new.host_id and c.carved and r.period && new.period) p
    join reservation r on r.host_id = new.host_id and r.period @> p.at
    join partition c on c.partition_id = r.partition_id and c.carved
    group by p.at
    having sum(r.cpu_milli) > coalesce(in_force.carve_max_cpu_milli, 0)
      or sum(r.memory_bytes) > coalesce(in_force.carve_max_memory_bytes, 0)
      or sum(r.disk_bytes) > coalesce(in_force.carve_max_disk_bytes, 0)
    order by p.at limit 1;
  if found then
    raise exception 'more of host % would be carved at % than its lender lets', new.host_id, worst.at
      using errcode = 'SL002', constraint = 'carve_limit';
  end if;
  return null;
end $$;

create constraint trigger reservation_carved
  after insert or update on reservation
  deferrable initially deferred
  for each row execute function check_carved();
