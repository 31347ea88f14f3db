-- A provider registers a host by its card for a customer. That the host is the customer's, and that
-- its use may be billed to it, is for the customer to say, or for the operator in its place.
alter table host
  add column confirmed_at timestamptz,
  add column confirmed_by_party_id text references party,
  add check ((confirmed_at is null) = (confirmed_by_party_id is null));

-- Those that codes were issued for are in use already.
update host set confirmed_at = created_at, confirmed_by_party_id = lender_party_id
  where card_jws is not null
    and exists (select from capacity_code where capacity_code.host_id = host.host_id);

create function refuse_unconfirmed() returns trigger language plpgsql as $$
begin
  perform 1 from host where host_id = new.host_id and card_jws is not null and confirmed_at is null;
  if found then
    raise exception 'nobody has said that host % is of who would be billed', new.host_id
      using errcode = 'SL003', constraint = 'host_confirmed';
  end if;
  return new;
end $$;
create trigger capacity_code_confirmed before insert on capacity_code
  for each row execute function refuse_unconfirmed();
