-- Metered capacity: what providers sell of what hosts have installed and not enabled.

-- A provider signs its codes and receipts with a key of its own, not with the server's.
create table provider_key (
  kid text primary key,
  party_id text not null references party,
  public_jwk jsonb not null,
  private_jwk jsonb not null,
  created_at timestamptz not null,
  retired_at timestamptz
);
create unique index provider_key_current on provider_key (party_id) where retired_at is null;
create trigger provider_key_guard before update or delete on provider_key
  for each row execute function guard_signing_key();
create trigger provider_key_keep before truncate on provider_key
  for each statement execute function refuse_change();

-- A host that no agent of this server speaks for: registered by the card that its own agent signed.
alter table host add column card_jws text;

-- On what terms a provider sells a resource, from now on; codes keep their own copy.
create table capacity_terms (
  provider_party_id text not null references party,
  resource text not null check (resource in ('cpu', 'memory')),
  terms jsonb not null,
  set_at timestamptz not null,
  primary key (provider_party_id, resource)
);

create table capacity_request (
  request_id text primary key check (request_id like 'request\_%'),
  host_id text not null references host,
  provider_party_id text not null references party,
  resource text not null check (resource in ('cpu', 'memory')),
  -- milliCores or bytes.
  quantity bigint not null check (quantity > 0),
  for_seconds bigint not null check (for_seconds > 0),
  -- Of a request that came as a file: as the host's agent signed it.
  request_jws text,
  state text not null default 'open' check (state in ('open', 'issued', 'declined')),
  created_at timestamptz not null,
  settled_at timestamptz,
  check ((state = 'open') = (settled_at is null))
);
create index capacity_request_host on capacity_request (host_id, request_id);
create index capacity_request_open on capacity_request (provider_party_id) where state = 'open';

create table capacity_code (
  code_id text primary key check (code_id like 'code\_%'),
  provider_party_id text not null references party,
  host_id text not null references host,
  customer_party_id text not null references party,
  sequence integer not null check (sequence > 0),
  request_id text references capacity_request,
  jws text not null,
  code jsonb not null,
  issued_at timestamptz not null,
  -- The short number that fetches it once; only its hash is kept.
  claim_sha256 bytea unique check (length(claim_sha256) = 32),
  claim_expires_at timestamptz,
  claimed_at timestamptz,
  -- Of whoever claimed it: the same may ask again, since an answer can be lost.
  claimed_by_sha256 bytea,
  constraint capacity_code_sequence unique (provider_party_id, host_id, sequence),
  check ((claim_sha256 is null) = (claim_expires_at is null)),
  check ((claimed_at is null) = (claimed_by_sha256 is null))
);
create index capacity_code_host on capacity_code (host_id, sequence);
create unique index capacity_code_request on capacity_code (request_id) where request_id is not null;

create function guard_capacity_code() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.code_id, old.provider_party_id, old.host_id, old.customer_party_id,
      old.sequence, old.request_id, old.jws, old.code, old.issued_at)
      is distinct from (new.code_id, new.provider_party_id, new.host_id, new.customer_party_id,
      new.sequence, new.request_id, new.jws, new.code, new.issued_at)
    or (old.claimed_at is not null and old.claim_sha256 is not distinct from new.claim_sha256
      and (old.claimed_at, old.claimed_by_sha256)
        is distinct from (new.claimed_at, new.claimed_by_sha256)) then
    raise exception 'a code is claimed, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;
create trigger capacity_code_guard before update or delete on capacity_code
  for each row execute function guard_capacity_code();
create trigger capacity_code_keep before truncate on capacity_code
  for each statement execute function refuse_change();

-- Claim numbers that were not right: so that nobody can try many, on any server.
create table claim_attempt (
  claim_attempt_id bigint generated always as identity primary key,
  address text not null,
  at timestamptz not null
);
create index claim_attempt_at on claim_attempt (at);
