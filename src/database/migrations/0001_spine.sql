-- The spine: parties, hosts, partitions, reservations over time, offers, leases, usage, money.
-- Units are last in names. Periods are half-open [start, end) in UTC. Money is micro-units.

create extension if not exists btree_gist;

-- Server ---------------------------------------------------------------------------------------

create table setting (
  only_one boolean primary key default true check (only_one),
  server_id text not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  minor_unit_digits smallint not null check (minor_unit_digits between 0 and 6),
  billing_time_zone text not null,
  operator_fee_ppm integer not null check (operator_fee_ppm between 0 and 1000000),
  created_at timestamptz not null
);

create table signing_key (
  kid text primary key,
  public_jwk jsonb not null,
  private_jwk jsonb not null,
  created_at timestamptz not null,
  retired_at timestamptz
);

-- Parties --------------------------------------------------------------------------------------

create table party (
  party_id text primary key check (party_id like 'party\_%'),
  name text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  roles text[] not null check (
    cardinality(roles) > 0 and roles <@ array['lender', 'client', 'provider', 'operator']
  ),
  credit_limit_micros bigint not null default 0 check (credit_limit_micros >= 0),
  created_at timestamptz not null
);

create table api_key (
  key_id text primary key check (key_id like 'key\_%'),
  party_id text not null references party,
  label text not null,
  secret_sha256 bytea not null unique check (length(secret_sha256) = 32),
  created_at timestamptz not null,
  revoked_at timestamptz
);
create index api_key_party on api_key (party_id);

-- Hosts ----------------------------------------------------------------------------------------

create table host (
  host_id text primary key check (host_id like 'host\_%'),
  lender_party_id text not null references party,
  name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  -- Set at enrolment; null until the agent has joined.
  agent_public_jwk jsonb,
  architecture text check (architecture in ('x86_64', 'aarch64')),
  facts jsonb,
  reserve_cpu_milli integer not null default 0 check (reserve_cpu_milli >= 0),
  reserve_memory_bytes bigint not null default 0 check (reserve_memory_bytes >= 0),
  reserve_disk_bytes bigint not null default 0 check (reserve_disk_bytes >= 0),
  base_cpu_milli integer not null default 0 check (base_cpu_milli >= 0),
  base_memory_bytes bigint not null default 0 check (base_memory_bytes >= 0),
  base_disk_bytes bigint not null default 0 check (base_disk_bytes >= 0),
  standby_cpu_milli integer not null default 0 check (standby_cpu_milli >= 0),
  standby_memory_bytes bigint not null default 0 check (standby_memory_bytes >= 0),
  -- Moves whenever what the host should be changes; the agent compares it with what it has read.
  desired_generation bigint not null default 1,
  created_at timestamptz not null,
  enrolled_at timestamptz,
  seen_at timestamptz,
  unique (lender_party_id, name)
);
create index host_lender on host (lender_party_id);

create table enrolment_token (
  secret_sha256 bytea primary key check (length(secret_sha256) = 32),
  host_id text not null references host,
  expires_at timestamptz not null,
  used_at timestamptz,
  -- Which agent's key used it: the same agent may ask again after a crash, nobody else may.
  used_by_thumbprint text
);

create table host_event (
  host_id text not null references host,
  seq bigint generated always as identity,
  at timestamptz not null,
  kind text not null,
  detail jsonb not null default '{}',
  primary key (host_id, seq)
);

-- Operating systems ----------------------------------------------------------------------------

create table image (
  image_id text primary key check (image_id like 'image\_%'),
  name text not null check (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
  version text not null check (version ~ '^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,62}$'),
  architecture text not null check (architecture in ('x86_64', 'aarch64')),
  -- Of the manifest's canonical JSON, which names the digest of every part.
  digest text not null unique check (digest ~ '^sha256:[0-9a-f]{64}$'),
  manifest jsonb not null,
  memory_bytes_min bigint not null check (memory_bytes_min > 0),
  created_at timestamptz not null,
  unique (name, version, architecture)
);

-- Partitions and their reservations ------------------------------------------------------------

create table partition (
  partition_id text primary key check (partition_id like 'partition\_%'),
  host_id text not null references host,
  name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  lendable boolean not null,
  cpu_mode text not null check (cpu_mode in ('dedicated', 'shared')),
  -- The standing size: what it has when no lease says otherwise.
  cpu_milli integer not null check (cpu_milli > 0),
  memory_bytes bigint not null check (memory_bytes > 0),
  disk_bytes bigint not null check (disk_bytes >= 0),
  min_cpu_milli integer not null check (min_cpu_milli >= 0),
  min_memory_bytes bigint not null check (min_memory_bytes >= 0),
  min_disk_bytes bigint not null check (min_disk_bytes >= 0),
  max_cpu_milli integer not null,
  max_memory_bytes bigint not null,
  max_disk_bytes bigint not null,
  -- Counts the changes of what is allocated to this partition.
  generation bigint not null default 1,
  created_at timestamptz not null,
  removed_at timestamptz,
  check (cpu_milli between min_cpu_milli and max_cpu_milli),
  check (memory_bytes between min_memory_bytes and max_memory_bytes),
  check (disk_bytes between min_disk_bytes and max_disk_bytes),
  check (cpu_mode = 'shared' or cpu_milli % 1000 = 0),
  unique (partition_id, host_id)
);
create unique index partition_name on partition (host_id, name) where removed_at is null;

create table offer (
  offer_id text primary key check (offer_id like 'offer\_%'),
  partition_id text not null references partition,
  lender_party_id text not null references party,
  price_micros_per_core_hour bigint not null check (price_micros_per_core_hour >= 0),
  price_micros_per_memory_gib_hour bigint not null check (price_micros_per_memory_gib_hour >= 0),
  price_micros_per_disk_gib_hour bigint not null check (price_micros_per_disk_gib_hour >= 0),
  price_micros_per_hour bigint not null check (price_micros_per_hour >= 0),
  lease_seconds_min integer not null check (lease_seconds_min > 0),
  lease_seconds_max integer not null check (lease_seconds_max >= lease_seconds_min),
  created_at timestamptz not null,
  withdrawn_at timestamptz
);
create unique index offer_in_force on offer (partition_id) where withdrawn_at is null;

create table lease (
  lease_id text primary key check (lease_id like 'lease\_%'),
  client_party_id text not null references party,
  lender_party_id text not null references party,
  host_id text not null references host,
  partition_id text not null references partition,
  offer_id text not null references offer,
  image_id text not null references image,
  foreign key (partition_id, host_id) references partition (partition_id, host_id),
  -- Of the booking as the client sent it: the same id with another content is refused.
  booking_sha256 text not null,
  state text not null check (state in ('booked', 'preparing', 'ready', 'ending', 'ended')),
  outcome text check (
    outcome in ('completed', 'ended-early', 'failed', 'not-delivered', 'cancelled')
  ),
  period tstzrange not null,
  cpu_mode text not null check (cpu_mode in ('dedicated', 'shared')),
  cpu_milli integer not null check (cpu_milli > 0),
  memory_bytes bigint not null check (memory_bytes > 0),
  disk_bytes bigint not null check (disk_bytes >= 0),
  tariff jsonb not null,
  quote jsonb not null,
  ssh_public_key text not null,
  grant_jws text,
  end_jws text,
  access jsonb,
  wipe_receipt_jws text,
  usage_seq_final bigint,
  created_at timestamptz not null,
  preparing_at timestamptz,
  ready_at timestamptz,
  ending_at timestamptz,
  ended_at timestamptz,
  -- One lease holds a partition at any instant, over any number of servers.
  constraint lease_exclusive exclude using gist (partition_id with =, period with &&),
  check (state = 'booked' or state = 'ended' or grant_jws is not null),
  check ((state = 'ended') = (outcome is not null)),
  -- Whatever was granted ends with the host's own word that it was wiped.
  constraint lease_wiped_before_ended check (
    state <> 'ended' or grant_jws is null or coalesce(wipe_receipt_jws, '') like '%.%.%'
  )
);
-- One guest in a partition at a time, also when an earlier lease overruns its period.
create unique index lease_in_use on lease (partition_id)
  where state in ('preparing', 'ready', 'ending');
create index lease_client on lease (client_party_id, lease_id);
create index lease_lender on lease (lender_party_id, lease_id);
create index lease_open on lease (host_id) where state <> 'ended';

create table lease_event (
  lease_id text not null references lease,
  seq integer not null check (seq > 0),
  at timestamptz not null,
  kind text not null,
  reason text,
  detail jsonb not null default '{}',
  -- The agent's own number for what it reported: the same report is taken once.
  report_id text unique,
  primary key (lease_id, seq)
);

create table reservation (
  reservation_id text primary key check (reservation_id like 'reservation\_%'),
  host_id text not null references host,
  partition_id text not null references partition,
  -- Null: the partition's standing reservation, in force whenever no lease's is.
  lease_id text references lease,
  cpu_milli integer not null check (cpu_milli > 0),
  memory_bytes bigint not null check (memory_bytes > 0),
  disk_bytes bigint not null check (disk_bytes >= 0),
  period tstzrange not null check (not isempty(period)),
  foreign key (partition_id, host_id) references partition (partition_id, host_id),
  -- A partition has one allocation at any instant. Deferred, so that a re-cut may pass through
  -- states that overlap before its transaction ends.
  constraint reservation_exclusive exclude using gist (partition_id with =, period with &&)
    deferrable initially deferred
);
create unique index reservation_lease on reservation (lease_id) where lease_id is not null;
create index reservation_host on reservation using gist (host_id, period);

-- Invariant: at any instant, reservations never exceed what the host has, and the sum of the
-- partitions' minimums never exceeds the base.
create function check_capacity() returns trigger language plpgsql as $$
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
  select p.at, sum(r.cpu_milli) as cpu_milli, sum(r.memory_bytes) as memory_bytes,
      sum(r.disk_bytes) as disk_bytes
    into worst
    from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = the_host.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = the_host.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli) > the_host.base_cpu_milli
      or sum(r.memory_bytes) > the_host.base_memory_bytes
      or sum(r.disk_bytes) > the_host.base_disk_bytes
    order by p.at limit 1;
  if found then
    raise exception 'host % would hold more than it has at %', the_host.name, worst.at
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return null;
end $$;

create constraint trigger reservation_capacity
  after insert or update on reservation
  deferrable initially deferred
  for each row execute function check_capacity();

create function check_minimums() returns trigger language plpgsql as $$
declare
  the_host host%rowtype;
begin
  select * into strict the_host from host where host_id = new.host_id for update;
  perform 1 from partition where host_id = the_host.host_id and removed_at is null
    having sum(min_cpu_milli) > the_host.base_cpu_milli
      or sum(min_memory_bytes) > the_host.base_memory_bytes
      or sum(min_disk_bytes) > the_host.base_disk_bytes;
  if found then
    raise exception 'the minimums of the partitions of host % exceed its base', the_host.name
      using errcode = 'SL002', constraint = 'host_minimums';
  end if;
  return null;
end $$;

create constraint trigger partition_minimums
  after insert or update on partition
  deferrable initially deferred
  for each row execute function check_minimums();

-- What is promised is not taken back by a host that comes again with less.
create function check_host_shrink() returns trigger language plpgsql as $$
begin
  perform 1 from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = new.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = new.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli) > new.base_cpu_milli
      or sum(r.memory_bytes) > new.base_memory_bytes
      or sum(r.disk_bytes) > new.base_disk_bytes;
  if found then
    raise exception 'host % would have less than is reserved on it', new.name
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return new;
end $$;

create trigger host_shrink before update of base_cpu_milli, base_memory_bytes, base_disk_bytes
  on host for each row
  when (new.base_cpu_milli < old.base_cpu_milli or new.base_memory_bytes < old.base_memory_bytes
    or new.base_disk_bytes < old.base_disk_bytes)
  execute function check_host_shrink();

-- The freeze: from `preparing` until the wipe receipt, nobody changes what is allocated.
create function partition_in_use(the_partition_id text) returns text language sql stable as $$
  select lease_id from lease
    where partition_id = the_partition_id and state in ('preparing', 'ready', 'ending')
$$;

create function refuse_in_use(the_partition_id text, lease_id text) returns void
language plpgsql as $$
begin
  raise exception 'partition % is in use by %', the_partition_id, lease_id
    using errcode = 'SL001', constraint = 'partition_in_use', detail = lease_id;
end $$;

create function freeze_partition() returns trigger language plpgsql as $$
declare
  held_by text := partition_in_use(old.partition_id);
begin
  if held_by is not null and (tg_op = 'DELETE'
    or (old.host_id, old.name, old.lendable, old.cpu_mode, old.cpu_milli, old.memory_bytes,
        old.disk_bytes, old.min_cpu_milli, old.min_memory_bytes, old.min_disk_bytes,
        old.max_cpu_milli, old.max_memory_bytes, old.max_disk_bytes, old.generation)
      is distinct from
       (new.host_id, new.name, new.lendable, new.cpu_mode, new.cpu_milli, new.memory_bytes,
        new.disk_bytes, new.min_cpu_milli, new.min_memory_bytes, new.min_disk_bytes,
        new.max_cpu_milli, new.max_memory_bytes, new.max_disk_bytes, new.generation)
    or (old.removed_at is null and new.removed_at is not null)) then
    perform refuse_in_use(old.partition_id, held_by);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

-- A booking for later freezes its own future: what it was promised stays possible.
create function guard_booked() returns trigger language plpgsql as $$
declare
  booked lease%rowtype;
begin
  select * into booked from lease l
    where l.partition_id = new.partition_id and l.state = 'booked'
      and (not new.lendable or new.removed_at is not null or l.cpu_mode <> new.cpu_mode
        or l.cpu_milli not between new.min_cpu_milli and new.max_cpu_milli
        or l.memory_bytes not between new.min_memory_bytes and new.max_memory_bytes
        or l.disk_bytes not between new.min_disk_bytes and new.max_disk_bytes)
    order by lower(l.period) limit 1;
  if found then
    raise exception 'partition % is booked by %', new.partition_id, booked.lease_id
      using errcode = 'SL001', constraint = 'partition_booked', detail = booked.lease_id;
  end if;
  return new;
end $$;

create trigger partition_promised before update on partition
  for each row execute function guard_booked();

create trigger partition_freeze before update or delete on partition
  for each row execute function freeze_partition();

-- A reservation for later belongs to the future and is not frozen by the lease of now. A lease's
-- own reservation keeps its size; only the end of its period may move.
create function freeze_reservation() returns trigger language plpgsql as $$
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
        old.disk_bytes, lower(old.period))
      is distinct from
       (new.host_id, new.partition_id, new.lease_id, new.cpu_milli, new.memory_bytes,
        new.disk_bytes, lower(new.period))
    or (old.lease_id = held_by and upper(new.period) < upper(old.period))) then
    perform refuse_in_use(old.partition_id, held_by);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger reservation_freeze before insert or update or delete on reservation
  for each row execute function freeze_reservation();

-- A lease goes forward only, and what it promised stays what it was.
create function guard_lease() returns trigger language plpgsql as $$
declare
  states text[] := array['booked', 'preparing', 'ready', 'ending', 'ended'];
begin
  if tg_op = 'DELETE' then
    raise exception 'a lease is never deleted'
      using errcode = 'SL003', constraint = 'lease_state';
  end if;
  if tg_op = 'INSERT' then
    if new.state <> 'booked' or new.grant_jws is not null then
      raise exception 'a lease begins as booked, without a grant'
        using errcode = 'SL003', constraint = 'lease_state';
    end if;
    return new;
  end if;
  if array_position(states, new.state) < array_position(states, old.state) then
    raise exception 'lease % cannot go from % back to %', old.lease_id, old.state, new.state
      using errcode = 'SL003', constraint = 'lease_state';
  end if;
  if old.state in ('preparing', 'ready', 'ending') and
      (old.partition_id, old.host_id, old.cpu_mode, old.cpu_milli, old.memory_bytes,
       old.disk_bytes, lower(old.period))
      is distinct from
      (new.partition_id, new.host_id, new.cpu_mode, new.cpu_milli, new.memory_bytes,
       new.disk_bytes, lower(new.period)) then
    perform refuse_in_use(old.partition_id, old.lease_id);
  end if;
  if (old.client_party_id, old.lender_party_id, old.host_id, old.partition_id, old.offer_id,
      old.image_id, old.tariff, old.quote, old.booking_sha256, old.ssh_public_key, old.created_at)
      is distinct from
     (new.client_party_id, new.lender_party_id, new.host_id, new.partition_id, new.offer_id,
      new.image_id, new.tariff, new.quote, new.booking_sha256, new.ssh_public_key, new.created_at)
      or (old.grant_jws is not null and new.grant_jws is distinct from old.grant_jws)
      or (old.wipe_receipt_jws is not null
        and new.wipe_receipt_jws is distinct from old.wipe_receipt_jws)
      or (old.outcome is not null and new.outcome is distinct from old.outcome) then
    raise exception 'the terms of lease % are fixed', old.lease_id
      using errcode = 'SL003', constraint = 'lease_terms';
  end if;
  return new;
end $$;

create trigger lease_guard before insert or update or delete on lease
  for each row execute function guard_lease();

-- Usage ----------------------------------------------------------------------------------------

create table usage_batch (
  batch_id text primary key check (batch_id like 'batch\_%'),
  chain_id text not null references lease,
  host_id text not null references host,
  jws text not null,
  received_at timestamptz not null
);

create table usage_record (
  -- A chain is the records of one lease; numbers begin at 1.
  chain_id text not null references lease,
  seq bigint not null check (seq > 0),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  previous_hash text not null check (previous_hash ~ '^[0-9a-f]{64}$'),
  batch_id text not null references usage_batch,
  record jsonb not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  elapsed_ns numeric(30) not null check (elapsed_ns >= 0),
  delivered_ns numeric(30) not null check (delivered_ns >= 0),
  cpu_ns numeric(30) not null check (cpu_ns >= 0),
  cpu_milli integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  gap boolean not null,
  final boolean not null,
  primary key (chain_id, seq),
  check (delivered_ns <= elapsed_ns)
);
create index usage_batch_chain on usage_batch (chain_id);
create index usage_record_batch on usage_record (batch_id);

-- Money ----------------------------------------------------------------------------------------

create table hold (
  lease_id text primary key references lease,
  party_id text not null references party,
  amount_micros bigint not null check (amount_micros >= 0),
  created_at timestamptz not null,
  released_at timestamptz
);
create index hold_open on hold (party_id) where released_at is null;

create table account (
  account_id text primary key,
  party_id text references party,
  kind text not null check (kind in ('cash', 'funds', 'earnings', 'fee', 'rounding')),
  -- funds: what the server owes a client; earnings: what it owes a lender.
  check ((party_id is null) = (kind in ('cash', 'fee', 'rounding')))
);
create unique index account_party on account (party_id, kind) where party_id is not null;
create unique index account_system on account (kind) where party_id is null;
insert into account (account_id, kind)
  values ('cash', 'cash'), ('fee', 'fee'), ('rounding', 'rounding');

create table ledger_transaction (
  transaction_id text primary key check (transaction_id like 'transaction\_%'),
  kind text not null check (kind in ('deposit', 'bill')),
  -- What it is for; the same cause is posted once.
  cause text not null unique,
  at timestamptz not null,
  posted_by text
);

create table ledger_entry (
  transaction_id text not null references ledger_transaction,
  account_id text not null references account,
  -- Positive: credit. Negative: debit.
  amount_micros bigint not null check (amount_micros <> 0),
  primary key (transaction_id, account_id)
);
create index ledger_entry_account on ledger_entry (account_id);

create function check_balanced() returns trigger language plpgsql as $$
begin
  if (select sum(amount_micros) from ledger_entry where transaction_id = new.transaction_id) <> 0
  then
    raise exception 'transaction % does not balance', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_balanced';
  end if;
  return null;
end $$;

create constraint trigger ledger_balanced after insert on ledger_entry
  deferrable initially deferred for each row execute function check_balanced();

create table bill (
  bill_id text primary key check (bill_id like 'bill\_%'),
  lease_id text not null unique references lease,
  client_party_id text not null references party,
  lender_party_id text not null references party,
  host_id text not null references host,
  closed_at timestamptz not null,
  total_micros bigint not null,
  remainder_micros bigint not null,
  -- The whole bill with its own copy of the terms, and the server's signature over it.
  document jsonb not null,
  jws text not null
);
create index bill_client on bill (client_party_id, bill_id);
create index bill_lender on bill (lender_party_id, bill_id);

create table charge (
  chain_id text not null,
  seq bigint not null,
  resource text not null check (resource in ('cpu', 'memory', 'disk', 'time')),
  -- milliCore-nanoseconds, byte-nanoseconds or nanoseconds.
  quantity numeric(40) not null check (quantity >= 0),
  price_micros_per_hour bigint not null,
  bill_id text not null references bill,
  primary key (chain_id, seq, resource),
  foreign key (chain_id, seq) references usage_record
);
create index charge_bill on charge (bill_id);

-- What is written about use and money is never changed.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'SL003', constraint = 'append_only';
end $$;

create trigger usage_record_append before update or delete on usage_record
  for each row execute function refuse_change();
create trigger usage_batch_append before update or delete on usage_batch
  for each row execute function refuse_change();
create trigger ledger_transaction_append before update or delete on ledger_transaction
  for each row execute function refuse_change();
create trigger ledger_entry_append before update or delete on ledger_entry
  for each row execute function refuse_change();
create trigger bill_append before update or delete on bill
  for each row execute function refuse_change();
create trigger charge_append before update or delete on charge
  for each row execute function refuse_change();
create trigger lease_event_append before update or delete on lease_event
  for each row execute function refuse_change();

-- A transaction is what was posted at once: nothing joins it later, and it is never empty.
create function check_entry() returns trigger language plpgsql as $$
begin
  if (select xmin from ledger_transaction where transaction_id = new.transaction_id)
      <> pg_current_xact_id()::xid then
    raise exception 'transaction % was posted before', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_posted';
  end if;
  return new;
end $$;
create trigger ledger_entry_posted before insert on ledger_entry
  for each row execute function check_entry();

create function check_entries() returns trigger language plpgsql as $$
begin
  if (select count(*) from ledger_entry where transaction_id = new.transaction_id) < 2 then
    raise exception 'transaction % moves nothing', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_balanced';
  end if;
  return null;
end $$;
create constraint trigger ledger_transaction_entries after insert on ledger_transaction
  deferrable initially deferred for each row execute function check_entries();

-- A hold is placed once and released once.
create function guard_hold() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.released_at is not null
      or (old.lease_id, old.party_id, old.amount_micros, old.created_at)
        is distinct from (new.lease_id, new.party_id, new.amount_micros, new.created_at) then
    raise exception 'a hold is released, and nothing else'
      using errcode = 'SL003', constraint = 'hold_terms';
  end if;
  return new;
end $$;
create trigger hold_guard before update or delete on hold
  for each row execute function guard_hold();

-- What everything rests on is not changed under it: keys are retired, never replaced.
create function guard_signing_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.kid, old.public_jwk, old.private_jwk, old.created_at)
      is distinct from (new.kid, new.public_jwk, new.private_jwk, new.created_at) then
    raise exception 'a signing key is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;
create trigger signing_key_guard before update or delete on signing_key
  for each row execute function guard_signing_key();

create function guard_setting() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.server_id, old.currency, old.minor_unit_digits,
      old.billing_time_zone, old.created_at) is distinct from (new.server_id, new.currency,
      new.minor_unit_digits, new.billing_time_zone, new.created_at) then
    raise exception 'the books keep their server, currency and time zone'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $$;
create trigger setting_guard before update or delete on setting
  for each row execute function guard_setting();

create trigger setting_keep before truncate on setting execute function refuse_change();
create trigger signing_key_keep before truncate on signing_key execute function refuse_change();
create trigger party_keep before truncate on party execute function refuse_change();
create trigger host_keep before truncate on host execute function refuse_change();
create trigger partition_keep before truncate on partition execute function refuse_change();
create trigger reservation_keep before truncate on reservation execute function refuse_change();
create trigger lease_keep before truncate on lease execute function refuse_change();
create trigger lease_event_keep before truncate on lease_event execute function refuse_change();
create trigger usage_batch_keep before truncate on usage_batch execute function refuse_change();
create trigger usage_record_keep before truncate on usage_record execute function refuse_change();
create trigger hold_keep before truncate on hold execute function refuse_change();
create trigger ledger_transaction_keep before truncate on ledger_transaction
  execute function refuse_change();
create trigger ledger_entry_keep before truncate on ledger_entry execute function refuse_change();
create trigger bill_keep before truncate on bill execute function refuse_change();
create trigger charge_keep before truncate on charge execute function refuse_change();

-- Wake-ups: hints only; every listener also re-reads on its own.
create function notify_lease_event() returns trigger language plpgsql as $$
begin
  perform pg_notify('lease_event', new.lease_id);
  return null;
end $$;
create trigger lease_event_notify after insert on lease_event
  for each row execute function notify_lease_event();

create function notify_desired() returns trigger language plpgsql as $$
begin
  perform pg_notify('host_desired', new.host_id);
  return null;
end $$;
create trigger host_desired_notify after update of desired_generation on host
  for each row execute function notify_desired();
