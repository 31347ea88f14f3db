-- Bills that are sent: where to, and every attempt.

create table delivery_target (
  target_id text primary key check (target_id like 'target\_%'),
  -- Whose bills go there.
  party_id text not null references party,
  -- Set by a provider for its customer: the bills that this provider makes, and no others.
  seller_party_id text references party,
  kind text not null check (kind in ('webhook', 'mail')),
  address text not null check (length(address) between 3 and 2000),
  -- Signs what is sent, so the server has to know it.
  secret bytea check (length(secret) >= 24),
  -- The one before it signs too for a while, so that a receiver can change over without a gap.
  previous_secret bytea check (length(previous_secret) >= 24),
  previous_secret_until timestamptz,
  set_by_party_id text not null references party,
  created_at timestamptz not null,
  -- The receiver said that it is gone. Nothing is sent until somebody turns it on again.
  disabled_at timestamptz,
  disabled_reason text,
  removed_at timestamptz,
  check ((kind = 'webhook') = (secret is not null)),
  check ((previous_secret is null) = (previous_secret_until is null)),
  check ((disabled_at is null) = (disabled_reason is null))
);
create unique index delivery_target_one on delivery_target
  (party_id, seller_party_id, kind, address) nulls not distinct;
create index delivery_target_seller on delivery_target (seller_party_id, target_id)
  where seller_party_id is not null;

create table delivery (
  delivery_id text primary key check (delivery_id like 'delivery\_%'),
  bill_id text not null references bill,
  target_id text not null references delivery_target,
  state text not null check (state in ('queued', 'delivered', 'failed')),
  queued_at timestamptz not null,
  -- When it is sent next.
  due_at timestamptz not null,
  -- One server sends it until then; one that died meanwhile sends it no more.
  claimed_until timestamptz,
  -- Begun in all; and of those, before it was last repeated by hand.
  attempts integer not null default 0 check (attempts >= 0),
  attempts_before integer not null default 0 check (attempts_before between 0 and attempts),
  settled_at timestamptz,
  -- Why there will be no further attempt.
  failure text,
  constraint delivery_one unique (bill_id, target_id),
  check ((state = 'queued') = (settled_at is null)),
  check ((state = 'failed') = (failure is not null))
);
create index delivery_due on delivery (due_at) where state = 'queued';
create index delivery_failed on delivery (target_id) where state = 'failed';
create index delivery_target_list on delivery (target_id, delivery_id);

create table delivery_attempt (
  delivery_id text not null references delivery,
  number integer not null check (number > 0),
  at timestamptz not null,
  outcome text not null check (outcome in ('delivered', 'failed')),
  -- Of HTTP or SMTP; null when there was no answer.
  status integer,
  reply text not null check (length(reply) <= 300),
  primary key (delivery_id, number)
);
create trigger delivery_attempt_append before update or delete on delivery_attempt
  for each row execute function refuse_change();
create trigger delivery_attempt_keep before truncate on delivery_attempt
  for each statement execute function refuse_change();
