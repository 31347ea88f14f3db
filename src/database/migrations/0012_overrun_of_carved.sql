-- What may be carved is lowered while a carved lease runs: its guest still has what it has.

create or replace function check_carved() returns trigger language plpgsql as $$
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
  -- A guest that is not wiped in time has what it has, whatever may be carved by now.
  if tg_op = 'UPDATE' and old.cpu_milli = new.cpu_milli and old.memory_bytes = new.memory_bytes
      and old.disk_bytes = new.disk_bytes and lower(old.period) = lower(new.period)
      and exists (select 1 from lease l where l.lease_id = new.lease_id
        and l.state in ('preparing', 'ready', 'ending') and upper(old.period) > upper(l.period))
      and not exists (select 1 from lease_extension x
        where x.lease_id = new.lease_id and x.state = 'pending') then
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
