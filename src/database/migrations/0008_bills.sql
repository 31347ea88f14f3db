-- A lease has a bill for each calendar month that it goes over, one at its end, and corrections.

alter table bill
  drop constraint bill_lease_id_key,
  add column number integer not null default 1 check (number > 0),
  add column kind text not null default 'final' check (kind in ('interim', 'final', 'correction')),
  -- The end of its period; null where that is the lease's own end, and in a correction.
  add column until_at timestamptz,
  -- The records up to this number were known when it closed.
  add column evidence_seq bigint not null default 0 check (evidence_seq >= 0);
alter table bill disable trigger bill_append;
update bill set evidence_seq = coalesce((document -> 'evidence' ->> 'finalSeq')::bigint, 0);
alter table bill enable trigger bill_append;
alter table bill
  alter column number drop default,
  alter column kind drop default,
  alter column evidence_seq drop default,
  add constraint bill_number unique (lease_id, number),
  add constraint bill_interim check ((kind = 'interim') = (until_at is not null));
create unique index bill_final on bill (lease_id) where kind = 'final';

-- A bill states what a record adds to what was billed of it before: a part, or a difference.
alter table charge
  drop constraint charge_pkey,
  drop constraint charge_quantity_check,
  add primary key (chain_id, seq, resource, bill_id);

-- Over all bills no record is charged for longer than it says was delivered, nor for less than nothing.
create function check_charged_once() returns trigger language plpgsql as $$
declare
  worst record;
begin
  select c.chain_id, c.seq into worst
    from (select distinct chain_id, seq from added) a
    join charge c using (chain_id, seq)
    join usage_record r using (chain_id, seq)
    where c.resource = 'time'
    group by c.chain_id, c.seq, r.delivered_ns
    having sum(c.quantity) > r.delivered_ns or sum(c.quantity) < 0
    limit 1;
  if found then
    raise exception 'record % of % would be charged more than once', worst.seq, worst.chain_id
      using errcode = 'SL004', constraint = 'charge_once';
  end if;
  return null;
end $$;
create trigger charge_once after insert on charge
  referencing new table as added for each statement execute function check_charged_once();

-- Leases whose final bill is closed and which records came for since: a correction is due.
create table late_usage (
  lease_id text primary key references lease,
  since timestamptz not null
);

-- A hold covers what its lease can still cost: its quote less what was billed of it.
create or replace function guard_hold() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.released_at is not null
      or (old.lease_id, old.party_id, old.created_at)
        is distinct from (new.lease_id, new.party_id, new.created_at)
      or (new.amount_micros <> old.amount_micros and new.amount_micros <
        (select (quote ->> 'totalMicros')::bigint from lease where lease_id = new.lease_id)
        - greatest(0, (select coalesce(sum(total_micros), 0) from bill
          where lease_id = new.lease_id))) then
    raise exception 'a hold covers its lease until it is released, once'
      using errcode = 'SL003', constraint = 'hold_terms';
  end if;
  return new;
end $$;
