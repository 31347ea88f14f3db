-- A lease keeps the windows that it was booked in; keys have successors that are told by signature.

-- Copied from the offer at the booking: when the lease may run, extensions included.
alter table lease
  add column windows jsonb check (jsonb_typeof(windows) = 'array'),
  add column time_zone text;
update lease set windows = o.windows, time_zone = o.time_zone
  from offer o where o.offer_id = lease.offer_id;
alter table lease
  alter column windows set not null,
  alter column time_zone set not null;

create trigger lease_windows_guard before update on lease for each row
  when (old.windows is distinct from new.windows or old.time_zone is distinct from new.time_zone)
  execute function guard_lease_length();

-- The statement, signed by the key before, that this one takes its place. Null: the first key, or
-- one from before statements were kept.
alter table host_key add column rotation_jws text;

create or replace function guard_host_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.until_at is not null
      or (old.kid, old.host_id, old.public_jwk, old.from_at, old.rotation_jws)
        is distinct from (new.kid, new.host_id, new.public_jwk, new.from_at, new.rotation_jws) then
    raise exception 'a key of a host is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;

-- The same of the server's own keys: one signs at a time, and each was let in by the one before.
alter table signing_key add column succession_jws text;
create unique index signing_key_current on signing_key ((true)) where retired_at is null;

create or replace function guard_signing_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.retired_at is not null
      or (old.kid, old.public_jwk, old.private_jwk, old.created_at, old.succession_jws)
      is distinct from
      (new.kid, new.public_jwk, new.private_jwk, new.created_at, new.succession_jws) then
    raise exception 'a signing key is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;
