-- Accounts: withdrawals, payouts, reversals, what they are for; the operator's fee over time; holds
-- that cover what is still to come.

alter table ledger_transaction
  drop constraint ledger_transaction_kind_check,
  add constraint ledger_transaction_kind_check
    check (kind in ('deposit', 'withdrawal', 'bill', 'payout', 'reversal')),
  -- What a person says of it: the bank's reference, the reason.
  add column memo text not null default '' check (length(memo) <= 200),
  -- A transaction is reversed once.
  add column reverses text unique references ledger_transaction,
  add constraint ledger_transaction_reverses check ((kind = 'reversal') = (reverses is not null));
create index ledger_transaction_at on ledger_transaction (at, transaction_id);

-- A reversal moves exactly what the reversed one moved, the other way. Bills are not reversed: what
-- is wrong with one is another bill's.
create function check_reversal() returns trigger language plpgsql as $$
begin
  if (select kind from ledger_transaction where transaction_id = new.reverses)
      not in ('deposit', 'withdrawal', 'payout')
    or (select array_agg(account_id || ' ' || -amount_micros order by account_id)
        from ledger_entry where transaction_id = new.reverses)
      is distinct from
       (select array_agg(account_id || ' ' || amount_micros order by account_id)
        from ledger_entry where transaction_id = new.transaction_id) then
    raise exception 'transaction % does not reverse %', new.transaction_id, new.reverses
      using errcode = 'SL004', constraint = 'ledger_reversal';
  end if;
  return null;
end $$;
create constraint trigger ledger_reversal after insert on ledger_transaction
  deferrable initially deferred for each row when (new.reverses is not null)
  execute function check_reversal();

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

-- The operator's part of what lenders earn. The newest version counts for what is booked from then
-- on; leases keep the rate that their own tariff names.
create table operator_fee (
  version integer generated always as identity primary key,
  -- Null: every lender that has no rate of its own.
  lender_party_id text references party,
  -- Null: this lender has no rate of its own any more.
  fee_ppm integer check (fee_ppm between 0 and 1000000),
  set_at timestamptz not null,
  -- Null: by the server's own command line.
  set_by text references party,
  check (lender_party_id is not null or fee_ppm is not null)
);
create index operator_fee_lender on operator_fee (lender_party_id, version);
insert into operator_fee (fee_ppm, set_at) select operator_fee_ppm, created_at from setting;
alter table setting drop column operator_fee_ppm;

create function operator_fee_of(the_lender text) returns integer language sql stable as $$
  select coalesce(
    (select fee_ppm from operator_fee where lender_party_id = the_lender
      order by version desc limit 1),
    (select fee_ppm from operator_fee where lender_party_id is null
      order by version desc limit 1),
    0)
$$;

create trigger operator_fee_append before update or delete on operator_fee
  for each row execute function refuse_change();
create trigger operator_fee_keep before truncate on operator_fee execute function refuse_change();
