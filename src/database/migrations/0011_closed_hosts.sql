-- A lease grows on a host that was closed meanwhile when the host has taken the extension: its time
-- was reserved before.
create or replace function check_leased_host() returns trigger language plpgsql as $$
begin
  if old.removal_jws is not null and new.removal_jws is distinct from old.removal_jws then
    raise exception 'the removal of lease % is stated for good', old.lease_id
      using errcode = 'SL003', constraint = 'lease_terms';
  end if;
  if not old.period @> new.period and not exists (select 1 from lease_extension x
      where x.lease_id = new.lease_id and x.state = 'in-force'
        and x.acknowledgement_jws is not null and x.ends_at = upper(new.period)) then
    perform refuse_closed_host(new.host_id, new.period);
  end if;
  return new;
end $$;
