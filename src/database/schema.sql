-- The schema that the migrations make, written by: npm run schema
-- A test compares this file with a fresh one, so that a change of the schema is a readable diff.

-- Extensions

create extension btree_gist;

-- Tables

create table account (
  account_id text not null,
  party_id text,
  kind text not null,
  constraint account_pkey PRIMARY KEY (account_id),
  constraint account_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint account_check CHECK (((party_id IS NULL) = (kind = ANY (ARRAY['cash'::text, 'fee'::text, 'rounding'::text])))),
  constraint account_kind_check CHECK ((kind = ANY (ARRAY['cash'::text, 'funds'::text, 'earnings'::text, 'fee'::text, 'rounding'::text])))
);

create table api_key (
  key_id text not null,
  party_id text not null,
  label text not null,
  secret_sha256 bytea not null,
  created_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint api_key_pkey PRIMARY KEY (key_id),
  constraint api_key_secret_sha256_key UNIQUE (secret_sha256),
  constraint api_key_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint api_key_key_id_check CHECK ((key_id ~~ 'key\_%'::text)),
  constraint api_key_secret_sha256_check CHECK ((length(secret_sha256) = 32))
);

create table bill (
  bill_id text not null,
  lease_id text,
  client_party_id text not null,
  lender_party_id text not null,
  host_id text not null,
  closed_at timestamp with time zone not null,
  total_micros bigint not null,
  remainder_micros bigint not null,
  document jsonb not null,
  jws text not null,
  number integer not null,
  kind text not null,
  until_at timestamp with time zone,
  evidence_seq bigint not null,
  act_seq bigint,
  constraint bill_pkey PRIMARY KEY (bill_id),
  constraint bill_number UNIQUE (lease_id, number),
  constraint bill_client_party_id_fkey FOREIGN KEY (client_party_id) REFERENCES party(party_id),
  constraint bill_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint bill_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint bill_lender_party_id_fkey FOREIGN KEY (lender_party_id) REFERENCES party(party_id),
  constraint bill_act_seq_check CHECK ((act_seq > 0)),
  constraint bill_bill_id_check CHECK ((bill_id ~~ 'bill\_%'::text)),
  constraint bill_evidence_seq_check CHECK ((evidence_seq >= 0)),
  constraint bill_interim CHECK (((kind = 'interim'::text) = (until_at IS NOT NULL))),
  constraint bill_kind_check CHECK ((kind = ANY (ARRAY['interim'::text, 'final'::text, 'correction'::text, 'capacity'::text]))),
  constraint bill_number_check CHECK ((number > 0)),
  constraint bill_of CHECK ((((kind = 'capacity'::text) = (lease_id IS NULL)) AND ((kind = 'capacity'::text) = (act_seq IS NOT NULL))))
);

create table capacity_act (
  host_id text not null,
  seq bigint not null,
  hash text not null,
  batch_id text not null,
  kind text not null,
  act jsonb not null,
  received_at timestamp with time zone not null,
  constraint capacity_act_pkey PRIMARY KEY (host_id, seq),
  constraint capacity_act_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES capacity_act_batch(batch_id),
  constraint capacity_act_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_act_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
  constraint capacity_act_seq_check CHECK ((seq > 0))
);

create table capacity_act_batch (
  batch_id text not null,
  host_id text not null,
  jws text not null,
  head_seq bigint not null,
  head_hash text not null,
  head_at timestamp with time zone not null,
  head_run_ns numeric(30,0) not null,
  received_at timestamp with time zone not null,
  constraint capacity_act_batch_pkey PRIMARY KEY (batch_id),
  constraint capacity_act_batch_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_act_batch_batch_id_check CHECK ((batch_id ~~ 'batch\_%'::text)),
  constraint capacity_act_batch_head_hash_check CHECK ((head_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint capacity_act_batch_head_run_ns_check CHECK ((head_run_ns >= (0)::numeric)),
  constraint capacity_act_batch_head_seq_check CHECK ((head_seq >= 0))
);

create table capacity_chain (
  chain_id text not null,
  host_id text not null,
  act_seq bigint not null,
  service_id text not null,
  provider_party_id text not null,
  code_id text not null,
  partition_id text not null,
  partition_name text not null,
  mode text not null,
  resource text not null,
  quantity bigint not null,
  constraint capacity_chain_pkey PRIMARY KEY (chain_id),
  constraint capacity_chain_code_id_fkey FOREIGN KEY (code_id) REFERENCES capacity_code(code_id),
  constraint capacity_chain_host_id_act_seq_fkey FOREIGN KEY (host_id, act_seq) REFERENCES capacity_act(host_id, seq),
  constraint capacity_chain_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_chain_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id),
  constraint capacity_chain_chain_id_check CHECK ((chain_id ~~ 'chain\_%'::text)),
  constraint capacity_chain_mode_check CHECK ((mode = ANY (ARRAY['dedicated'::text, 'shared'::text]))),
  constraint capacity_chain_quantity_check CHECK ((quantity > 0)),
  constraint capacity_chain_resource_check CHECK ((resource = ANY (ARRAY['cpu'::text, 'memory'::text])))
);

create table capacity_code (
  code_id text not null,
  provider_party_id text not null,
  host_id text not null,
  customer_party_id text not null,
  sequence integer not null,
  request_id text,
  jws text not null,
  code jsonb not null,
  issued_at timestamp with time zone not null,
  claim_sha256 bytea,
  claim_expires_at timestamp with time zone,
  claimed_at timestamp with time zone,
  claimed_by_sha256 bytea,
  constraint capacity_code_pkey PRIMARY KEY (code_id),
  constraint capacity_code_claim_sha256_key UNIQUE (claim_sha256),
  constraint capacity_code_sequence UNIQUE (provider_party_id, host_id, sequence),
  constraint capacity_code_customer_party_id_fkey FOREIGN KEY (customer_party_id) REFERENCES party(party_id),
  constraint capacity_code_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_code_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id),
  constraint capacity_code_request_id_fkey FOREIGN KEY (request_id) REFERENCES capacity_request(request_id),
  constraint capacity_code_check CHECK (((claim_sha256 IS NULL) = (claim_expires_at IS NULL))),
  constraint capacity_code_check1 CHECK (((claimed_at IS NULL) = (claimed_by_sha256 IS NULL))),
  constraint capacity_code_claim_sha256_check CHECK ((length(claim_sha256) = 32)),
  constraint capacity_code_code_id_check CHECK ((code_id ~~ 'code\_%'::text)),
  constraint capacity_code_sequence_check CHECK ((sequence > 0))
);

create table capacity_demand (
  host_id text not null,
  provider_party_id text not null,
  demanded_at timestamp with time zone not null,
  constraint capacity_demand_pkey PRIMARY KEY (host_id, provider_party_id),
  constraint capacity_demand_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_demand_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id)
);

create table capacity_drawn (
  code_id text not null,
  quantity numeric(40,0) not null,
  constraint capacity_drawn_pkey PRIMARY KEY (code_id),
  constraint capacity_drawn_code_id_fkey FOREIGN KEY (code_id) REFERENCES capacity_code(code_id),
  constraint capacity_drawn_quantity_check CHECK ((quantity >= (0)::numeric))
);

create table capacity_due (
  host_id text not null,
  provider_party_id text not null,
  due_at timestamp with time zone not null,
  constraint capacity_due_pkey PRIMARY KEY (host_id, provider_party_id),
  constraint capacity_due_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_due_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id)
);

create table capacity_order (
  order_id text not null,
  host_id text not null,
  ordered jsonb not null,
  ordered_by text not null,
  ordered_at timestamp with time zone not null,
  outcome text,
  message text,
  answered_at timestamp with time zone,
  constraint capacity_order_pkey PRIMARY KEY (order_id),
  constraint capacity_order_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_order_ordered_by_fkey FOREIGN KEY (ordered_by) REFERENCES party(party_id),
  constraint capacity_order_check CHECK ((((outcome IS NULL) = (answered_at IS NULL)) AND ((outcome IS NULL) = (message IS NULL)))),
  constraint capacity_order_order_id_check CHECK ((order_id ~~ 'order\_%'::text))
);

create table capacity_period_total (
  chain_id text not null,
  period_start timestamp with time zone not null,
  rule text not null,
  first_seq bigint not null,
  cpu_ns numeric(30,0) not null,
  threshold jsonb,
  constraint capacity_period_total_pkey PRIMARY KEY (chain_id, period_start, rule),
  constraint capacity_period_total_chain_id_fkey FOREIGN KEY (chain_id) REFERENCES capacity_chain(chain_id),
  constraint capacity_period_total_cpu_ns_check CHECK ((cpu_ns >= (0)::numeric))
);

create table capacity_progress (
  chain_id text not null,
  contiguous_seq bigint not null,
  last_seq bigint not null,
  final_seq bigint,
  constraint capacity_progress_pkey PRIMARY KEY (chain_id),
  constraint capacity_progress_chain_id_fkey FOREIGN KEY (chain_id) REFERENCES capacity_chain(chain_id),
  constraint capacity_progress_check CHECK ((last_seq >= contiguous_seq)),
  constraint capacity_progress_contiguous_seq_check CHECK ((contiguous_seq >= 0))
);

create table capacity_request (
  request_id text not null,
  host_id text not null,
  provider_party_id text not null,
  resource text not null,
  quantity bigint not null,
  for_seconds bigint not null,
  request_jws text,
  state text default 'open'::text not null,
  created_at timestamp with time zone not null,
  settled_at timestamp with time zone,
  constraint capacity_request_pkey PRIMARY KEY (request_id),
  constraint capacity_request_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint capacity_request_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id),
  constraint capacity_request_check CHECK (((state = 'open'::text) = (settled_at IS NULL))),
  constraint capacity_request_for_seconds_check CHECK ((for_seconds > 0)),
  constraint capacity_request_quantity_check CHECK ((quantity > 0)),
  constraint capacity_request_request_id_check CHECK ((request_id ~~ 'request\_%'::text)),
  constraint capacity_request_resource_check CHECK ((resource = ANY (ARRAY['cpu'::text, 'memory'::text]))),
  constraint capacity_request_state_check CHECK ((state = ANY (ARRAY['open'::text, 'issued'::text, 'declined'::text])))
);

create table capacity_terms (
  provider_party_id text not null,
  resource text not null,
  terms jsonb not null,
  set_at timestamp with time zone not null,
  constraint capacity_terms_pkey PRIMARY KEY (provider_party_id, resource),
  constraint capacity_terms_provider_party_id_fkey FOREIGN KEY (provider_party_id) REFERENCES party(party_id),
  constraint capacity_terms_resource_check CHECK ((resource = ANY (ARRAY['cpu'::text, 'memory'::text])))
);

create table charge (
  chain_id text not null,
  seq bigint not null,
  resource text not null,
  quantity numeric(40,0) not null,
  price_micros_per_hour bigint not null,
  bill_id text not null,
  constraint charge_pkey PRIMARY KEY (chain_id, seq, resource, bill_id),
  constraint charge_bill_id_fkey FOREIGN KEY (bill_id) REFERENCES bill(bill_id),
  constraint charge_chain_id_seq_fkey FOREIGN KEY (chain_id, seq) REFERENCES usage_record(chain_id, seq),
  constraint charge_resource_check CHECK ((resource = ANY (ARRAY['cpu'::text, 'memory'::text, 'disk'::text, 'time'::text])))
);

create table claim_attempt (
  claim_attempt_id bigint generated always as identity not null,
  address text not null,
  at timestamp with time zone not null,
  constraint claim_attempt_pkey PRIMARY KEY (claim_attempt_id)
);

create table console_request (
  console_request_id text not null,
  lease_id text not null,
  host_id text not null,
  requested_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  content bytea,
  constraint console_request_pkey PRIMARY KEY (console_request_id),
  constraint console_request_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint console_request_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint console_request_check CHECK (((answered_at IS NULL) = (content IS NULL))),
  constraint console_request_console_request_id_check CHECK ((console_request_id ~~ 'console\_%'::text)),
  constraint console_request_content_check CHECK ((length(content) <= 65536))
);

create table delivery (
  delivery_id text not null,
  bill_id text not null,
  target_id text not null,
  state text not null,
  queued_at timestamp with time zone not null,
  due_at timestamp with time zone not null,
  claimed_until timestamp with time zone,
  attempts integer default 0 not null,
  attempts_before integer default 0 not null,
  settled_at timestamp with time zone,
  failure text,
  constraint delivery_pkey PRIMARY KEY (delivery_id),
  constraint delivery_one UNIQUE (bill_id, target_id),
  constraint delivery_bill_id_fkey FOREIGN KEY (bill_id) REFERENCES bill(bill_id),
  constraint delivery_target_id_fkey FOREIGN KEY (target_id) REFERENCES delivery_target(target_id),
  constraint delivery_attempts_check CHECK ((attempts >= 0)),
  constraint delivery_check CHECK (((attempts_before >= 0) AND (attempts_before <= attempts))),
  constraint delivery_check1 CHECK (((state = 'queued'::text) = (settled_at IS NULL))),
  constraint delivery_check2 CHECK (((state = 'failed'::text) = (failure IS NOT NULL))),
  constraint delivery_delivery_id_check CHECK ((delivery_id ~~ 'delivery\_%'::text)),
  constraint delivery_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'delivered'::text, 'failed'::text])))
);

create table delivery_attempt (
  delivery_id text not null,
  number integer not null,
  at timestamp with time zone not null,
  outcome text not null,
  status integer,
  reply text not null,
  constraint delivery_attempt_pkey PRIMARY KEY (delivery_id, number),
  constraint delivery_attempt_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES delivery(delivery_id),
  constraint delivery_attempt_number_check CHECK ((number > 0)),
  constraint delivery_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'failed'::text]))),
  constraint delivery_attempt_reply_check CHECK ((length(reply) <= 300))
);

create table delivery_target (
  target_id text not null,
  party_id text not null,
  seller_party_id text,
  kind text not null,
  address text not null,
  secret bytea,
  previous_secret bytea,
  previous_secret_until timestamp with time zone,
  set_by_party_id text not null,
  created_at timestamp with time zone not null,
  disabled_at timestamp with time zone,
  disabled_reason text,
  removed_at timestamp with time zone,
  constraint delivery_target_pkey PRIMARY KEY (target_id),
  constraint delivery_target_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint delivery_target_seller_party_id_fkey FOREIGN KEY (seller_party_id) REFERENCES party(party_id),
  constraint delivery_target_set_by_party_id_fkey FOREIGN KEY (set_by_party_id) REFERENCES party(party_id),
  constraint delivery_target_address_check CHECK (((length(address) >= 3) AND (length(address) <= 2000))),
  constraint delivery_target_check CHECK (((kind = 'webhook'::text) = (secret IS NOT NULL))),
  constraint delivery_target_check1 CHECK (((previous_secret IS NULL) = (previous_secret_until IS NULL))),
  constraint delivery_target_check2 CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL))),
  constraint delivery_target_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'mail'::text]))),
  constraint delivery_target_previous_secret_check CHECK ((length(previous_secret) >= 24)),
  constraint delivery_target_secret_check CHECK ((length(secret) >= 24)),
  constraint delivery_target_target_id_check CHECK ((target_id ~~ 'target\_%'::text))
);

create table enrolment_token (
  secret_sha256 bytea not null,
  host_id text not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  used_by_thumbprint text,
  constraint enrolment_token_pkey PRIMARY KEY (secret_sha256),
  constraint enrolment_token_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint enrolment_token_secret_sha256_check CHECK ((length(secret_sha256) = 32))
);

create table hold (
  lease_id text not null,
  party_id text not null,
  amount_micros bigint not null,
  created_at timestamp with time zone not null,
  released_at timestamp with time zone,
  constraint hold_pkey PRIMARY KEY (lease_id),
  constraint hold_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint hold_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id),
  constraint hold_amount_micros_check CHECK ((amount_micros >= 0))
);

create table host (
  host_id text not null,
  lender_party_id text not null,
  name text not null,
  agent_public_jwk jsonb,
  architecture text,
  facts jsonb,
  reserve_cpu_milli integer default 0 not null,
  reserve_memory_bytes bigint default 0 not null,
  reserve_disk_bytes bigint default 0 not null,
  base_cpu_milli integer default 0 not null,
  base_memory_bytes bigint default 0 not null,
  base_disk_bytes bigint default 0 not null,
  standby_cpu_milli integer default 0 not null,
  standby_memory_bytes bigint default 0 not null,
  desired_generation bigint default 1 not null,
  created_at timestamp with time zone not null,
  enrolled_at timestamp with time zone,
  seen_at timestamp with time zone,
  presence text default 'seen'::text not null,
  presence_since timestamp with time zone,
  drained_at timestamp with time zone,
  maintenance_from timestamp with time zone,
  maintenance_until timestamp with time zone,
  removed_at timestamp with time zone,
  card_jws text,
  confirmed_at timestamp with time zone,
  confirmed_by_party_id text,
  base_cpu_milli_most integer default 0 not null,
  constraint host_pkey PRIMARY KEY (host_id),
  constraint host_confirmed_by_party_id_fkey FOREIGN KEY (confirmed_by_party_id) REFERENCES party(party_id),
  constraint host_lender_party_id_fkey FOREIGN KEY (lender_party_id) REFERENCES party(party_id),
  constraint host_architecture_check CHECK ((architecture = ANY (ARRAY['x86_64'::text, 'aarch64'::text]))),
  constraint host_base_cpu_milli_check CHECK ((base_cpu_milli >= 0)),
  constraint host_base_disk_bytes_check CHECK ((base_disk_bytes >= 0)),
  constraint host_base_memory_bytes_check CHECK ((base_memory_bytes >= 0)),
  constraint host_check CHECK (((confirmed_at IS NULL) = (confirmed_by_party_id IS NULL))),
  constraint host_host_id_check CHECK ((host_id ~~ 'host\_%'::text)),
  constraint host_maintenance_period CHECK (((maintenance_until IS NULL) OR COALESCE((maintenance_until > maintenance_from), false))),
  constraint host_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint host_presence_check CHECK ((presence = ANY (ARRAY['seen'::text, 'late'::text, 'lost'::text]))),
  constraint host_reserve_cpu_milli_check CHECK ((reserve_cpu_milli >= 0)),
  constraint host_reserve_disk_bytes_check CHECK ((reserve_disk_bytes >= 0)),
  constraint host_reserve_memory_bytes_check CHECK ((reserve_memory_bytes >= 0)),
  constraint host_standby_cpu_milli_check CHECK ((standby_cpu_milli >= 0)),
  constraint host_standby_memory_bytes_check CHECK ((standby_memory_bytes >= 0))
);

create table host_event (
  host_id text not null,
  seq bigint generated always as identity not null,
  at timestamp with time zone not null,
  kind text not null,
  detail jsonb default '{}'::jsonb not null,
  constraint host_event_pkey PRIMARY KEY (host_id, seq),
  constraint host_event_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id)
);

create table host_key (
  kid text not null,
  host_id text not null,
  public_jwk jsonb not null,
  from_at timestamp with time zone not null,
  until_at timestamp with time zone,
  rotation_jws text,
  constraint host_key_pkey PRIMARY KEY (kid),
  constraint host_key_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id)
);

create table image (
  image_id text not null,
  name text not null,
  version text not null,
  architecture text not null,
  digest text not null,
  manifest jsonb not null,
  memory_bytes_min bigint not null,
  created_at timestamp with time zone not null,
  constraint image_pkey PRIMARY KEY (image_id),
  constraint image_digest_key UNIQUE (digest),
  constraint image_name_version_architecture_key UNIQUE (name, version, architecture),
  constraint image_architecture_check CHECK ((architecture = ANY (ARRAY['x86_64'::text, 'aarch64'::text]))),
  constraint image_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
  constraint image_image_id_check CHECK ((image_id ~~ 'image\_%'::text)),
  constraint image_memory_bytes_min_check CHECK ((memory_bytes_min > 0)),
  constraint image_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'::text)),
  constraint image_version_check CHECK ((version ~ '^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,62}$'::text))
);

create table late_usage (
  lease_id text not null,
  since timestamp with time zone not null,
  constraint late_usage_pkey PRIMARY KEY (lease_id),
  constraint late_usage_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id)
);

create table lease (
  lease_id text not null,
  client_party_id text not null,
  lender_party_id text not null,
  host_id text not null,
  partition_id text not null,
  offer_id text not null,
  image_id text not null,
  booking_sha256 text not null,
  state text not null,
  outcome text,
  period tstzrange not null,
  cpu_mode text not null,
  cpu_milli integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  tariff jsonb not null,
  quote jsonb not null,
  ssh_public_key text not null,
  grant_jws text,
  end_jws text,
  access jsonb,
  wipe_receipt_jws text,
  usage_seq_final bigint,
  created_at timestamp with time zone not null,
  preparing_at timestamp with time zone,
  ready_at timestamp with time zone,
  ending_at timestamp with time zone,
  ended_at timestamp with time zone,
  internet boolean default false not null,
  lease_seconds_max integer not null,
  power_state text default 'on'::text not null,
  power_generation integer default 0 not null,
  power_done_generation integer default 0 not null,
  power_jws text,
  removal_jws text,
  windows jsonb not null,
  time_zone text not null,
  constraint lease_pkey PRIMARY KEY (lease_id),
  constraint lease_client_party_id_fkey FOREIGN KEY (client_party_id) REFERENCES party(party_id),
  constraint lease_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint lease_image_id_fkey FOREIGN KEY (image_id) REFERENCES image(image_id),
  constraint lease_lender_party_id_fkey FOREIGN KEY (lender_party_id) REFERENCES party(party_id),
  constraint lease_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES offer(offer_id),
  constraint lease_partition_id_fkey FOREIGN KEY (partition_id) REFERENCES partition(partition_id),
  constraint lease_partition_id_host_id_fkey FOREIGN KEY (partition_id, host_id) REFERENCES partition(partition_id, host_id),
  constraint lease_exclusive EXCLUDE USING gist (partition_id WITH =, period WITH &&),
  constraint lease_check CHECK (((state = 'booked'::text) OR (state = 'ended'::text) OR (grant_jws IS NOT NULL))),
  constraint lease_check1 CHECK (((state = 'ended'::text) = (outcome IS NOT NULL))),
  constraint lease_cpu_milli_check CHECK ((cpu_milli > 0)),
  constraint lease_cpu_mode_check CHECK ((cpu_mode = ANY (ARRAY['dedicated'::text, 'shared'::text]))),
  constraint lease_disk_bytes_check CHECK ((disk_bytes >= 0)),
  constraint lease_lease_id_check CHECK ((lease_id ~~ 'lease\_%'::text)),
  constraint lease_lease_seconds_max_check CHECK ((lease_seconds_max > 0)),
  constraint lease_memory_bytes_check CHECK ((memory_bytes > 0)),
  constraint lease_outcome_check CHECK ((outcome = ANY (ARRAY['completed'::text, 'ended-early'::text, 'failed'::text, 'not-delivered'::text, 'cancelled'::text]))),
  constraint lease_power_done CHECK (((power_done_generation >= 0) AND (power_done_generation <= power_generation))),
  constraint lease_power_generation_check CHECK ((power_generation >= 0)),
  constraint lease_power_signed CHECK (((power_generation > 0) = (power_jws IS NOT NULL))),
  constraint lease_power_state_check CHECK ((power_state = ANY (ARRAY['on'::text, 'off'::text, 'restart'::text]))),
  constraint lease_state_check CHECK ((state = ANY (ARRAY['booked'::text, 'preparing'::text, 'ready'::text, 'ending'::text, 'ended'::text]))),
  constraint lease_windows_check CHECK ((jsonb_typeof(windows) = 'array'::text)),
  constraint lease_wiped_before_ended CHECK (((state <> 'ended'::text) OR (grant_jws IS NULL) OR (COALESCE(wipe_receipt_jws, ''::text) ~~ '%.%.%'::text) OR (COALESCE(removal_jws, ''::text) ~~ '%.%.%'::text))),
  constraint lease_removal TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table lease_event (
  lease_id text not null,
  seq integer not null,
  at timestamp with time zone not null,
  kind text not null,
  reason text,
  detail jsonb default '{}'::jsonb not null,
  report_id text,
  constraint lease_event_pkey PRIMARY KEY (lease_id, seq),
  constraint lease_event_report_id_key UNIQUE (report_id),
  constraint lease_event_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint lease_event_seq_check CHECK ((seq > 0))
);

create table lease_extension (
  extension_id text not null,
  lease_id text not null,
  request_sha256 text not null,
  state text not null,
  sequence integer,
  grant_jws text,
  ends_before timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  quote jsonb not null,
  additional_micros bigint not null,
  reason text,
  acknowledgement_jws text,
  created_at timestamp with time zone not null,
  settled_at timestamp with time zone,
  constraint lease_extension_pkey PRIMARY KEY (extension_id),
  constraint extension_sequence UNIQUE (lease_id, sequence),
  constraint lease_extension_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint extension_acknowledged CHECK (((state <> 'in-force'::text) OR (grant_jws IS NULL) OR (acknowledgement_jws IS NOT NULL))),
  constraint lease_extension_additional_micros_check CHECK ((additional_micros >= 0)),
  constraint lease_extension_check CHECK ((ends_at > ends_before)),
  constraint lease_extension_check1 CHECK (((grant_jws IS NULL) = (sequence IS NULL))),
  constraint lease_extension_check2 CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
  constraint lease_extension_check3 CHECK (((state <> 'pending'::text) OR (grant_jws IS NOT NULL))),
  constraint lease_extension_extension_id_check CHECK ((extension_id ~~ 'extension\_%'::text)),
  constraint lease_extension_sequence_check CHECK ((sequence > 1)),
  constraint lease_extension_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'in-force'::text, 'lapsed'::text])))
);

create table ledger_entry (
  transaction_id text not null,
  account_id text not null,
  amount_micros bigint not null,
  constraint ledger_entry_pkey PRIMARY KEY (transaction_id, account_id),
  constraint ledger_entry_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(account_id),
  constraint ledger_entry_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES ledger_transaction(transaction_id),
  constraint ledger_entry_amount_micros_check CHECK ((amount_micros <> 0)),
  constraint ledger_balanced TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table ledger_transaction (
  transaction_id text not null,
  kind text not null,
  cause text not null,
  at timestamp with time zone not null,
  posted_by text,
  memo text default ''::text not null,
  reverses text,
  constraint ledger_transaction_pkey PRIMARY KEY (transaction_id),
  constraint ledger_transaction_cause_key UNIQUE (cause),
  constraint ledger_transaction_reverses_key UNIQUE (reverses),
  constraint ledger_transaction_reverses_fkey FOREIGN KEY (reverses) REFERENCES ledger_transaction(transaction_id),
  constraint ledger_transaction_kind_check CHECK ((kind = ANY (ARRAY['deposit'::text, 'withdrawal'::text, 'bill'::text, 'payout'::text, 'reversal'::text]))),
  constraint ledger_transaction_memo_check CHECK ((length(memo) <= 200)),
  constraint ledger_transaction_reverses CHECK (((kind = 'reversal'::text) = (reverses IS NOT NULL))),
  constraint ledger_transaction_transaction_id_check CHECK ((transaction_id ~~ 'transaction\_%'::text)),
  constraint ledger_reversal TRIGGER DEFERRABLE INITIALLY DEFERRED,
  constraint ledger_transaction_entries TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table lent_code (
  host_id text not null,
  code_id text not null,
  provider_party_id text not null,
  resource text not null,
  quantity bigint not null,
  resource_time numeric(40,0) not null,
  validity tstzrange not null,
  lent_at timestamp with time zone not null,
  reported boolean not null,
  constraint lent_code_pkey PRIMARY KEY (host_id, code_id),
  constraint lent_code_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint lent_code_code_id_check CHECK ((code_id ~~ 'code\_%'::text)),
  constraint lent_code_quantity_check CHECK ((quantity > 0)),
  constraint lent_code_resource_check CHECK ((resource = ANY (ARRAY['cpu'::text, 'memory'::text]))),
  constraint lent_code_resource_time_check CHECK ((resource_time >= (0)::numeric)),
  constraint lent_code_validity_check CHECK ((NOT isempty(validity)))
);

create table migration (
  number integer not null,
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone default now() not null,
  constraint migration_pkey PRIMARY KEY (number),
  constraint migration_name_key UNIQUE (name)
);

create table offer (
  offer_id text not null,
  partition_id text,
  lender_party_id text not null,
  price_micros_per_core_hour bigint not null,
  price_micros_per_memory_gib_hour bigint not null,
  price_micros_per_disk_gib_hour bigint not null,
  price_micros_per_hour bigint not null,
  lease_seconds_min integer not null,
  lease_seconds_max integer not null,
  created_at timestamp with time zone not null,
  withdrawn_at timestamp with time zone,
  host_id text not null,
  price_micros_per_shared_core_hour bigint default 0 not null,
  windows jsonb default '[]'::jsonb not null,
  time_zone text default 'UTC'::text not null,
  borrowers text default 'everyone'::text not null,
  borrower_party_ids text[] default '{}'::text[] not null,
  labels jsonb default '{}'::jsonb not null,
  internet boolean default false not null,
  carve_cpu_mode text,
  carve_max_cpu_milli integer,
  carve_max_memory_bytes bigint,
  carve_max_disk_bytes bigint,
  constraint offer_pkey PRIMARY KEY (offer_id),
  constraint offer_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint offer_lender_party_id_fkey FOREIGN KEY (lender_party_id) REFERENCES party(party_id),
  constraint offer_partition_id_fkey FOREIGN KEY (partition_id) REFERENCES partition(partition_id),
  constraint offer_borrowers_check CHECK ((borrowers = ANY (ARRAY['everyone'::text, 'only'::text, 'except'::text]))),
  constraint offer_carve_cpu_mode_check CHECK ((carve_cpu_mode = ANY (ARRAY['dedicated'::text, 'shared'::text]))),
  constraint offer_carve_max_cpu_milli_check CHECK ((carve_max_cpu_milli > 0)),
  constraint offer_carve_max_disk_bytes_check CHECK ((carve_max_disk_bytes >= 0)),
  constraint offer_carve_max_memory_bytes_check CHECK ((carve_max_memory_bytes > 0)),
  constraint offer_check CHECK ((lease_seconds_max >= lease_seconds_min)),
  constraint offer_labels_check CHECK ((jsonb_typeof(labels) = 'object'::text)),
  constraint offer_lease_seconds_min_check CHECK ((lease_seconds_min > 0)),
  constraint offer_of_one_kind CHECK ((((partition_id IS NOT NULL) = (carve_cpu_mode IS NULL)) AND ((carve_cpu_mode IS NULL) = (carve_max_cpu_milli IS NULL)) AND ((carve_cpu_mode IS NULL) = (carve_max_memory_bytes IS NULL)) AND ((carve_cpu_mode IS NULL) = (carve_max_disk_bytes IS NULL)))),
  constraint offer_offer_id_check CHECK ((offer_id ~~ 'offer\_%'::text)),
  constraint offer_price_micros_per_core_hour_check CHECK ((price_micros_per_core_hour >= 0)),
  constraint offer_price_micros_per_disk_gib_hour_check CHECK ((price_micros_per_disk_gib_hour >= 0)),
  constraint offer_price_micros_per_hour_check CHECK ((price_micros_per_hour >= 0)),
  constraint offer_price_micros_per_memory_gib_hour_check CHECK ((price_micros_per_memory_gib_hour >= 0)),
  constraint offer_price_micros_per_shared_core_hour_check CHECK ((price_micros_per_shared_core_hour >= 0)),
  constraint offer_windows_check CHECK ((jsonb_typeof(windows) = 'array'::text))
);

create table operator_fee (
  version integer generated always as identity not null,
  lender_party_id text,
  fee_ppm integer,
  set_at timestamp with time zone not null,
  set_by text,
  constraint operator_fee_pkey PRIMARY KEY (version),
  constraint operator_fee_lender_party_id_fkey FOREIGN KEY (lender_party_id) REFERENCES party(party_id),
  constraint operator_fee_set_by_fkey FOREIGN KEY (set_by) REFERENCES party(party_id),
  constraint operator_fee_check CHECK (((lender_party_id IS NOT NULL) OR (fee_ppm IS NOT NULL))),
  constraint operator_fee_fee_ppm_check CHECK (((fee_ppm >= 0) AND (fee_ppm <= 1000000)))
);

create table partition (
  partition_id text not null,
  host_id text not null,
  name text not null,
  lendable boolean not null,
  cpu_mode text not null,
  cpu_milli integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  min_cpu_milli integer not null,
  min_memory_bytes bigint not null,
  min_disk_bytes bigint not null,
  max_cpu_milli integer not null,
  max_memory_bytes bigint not null,
  max_disk_bytes bigint not null,
  generation bigint default 1 not null,
  created_at timestamp with time zone not null,
  removed_at timestamp with time zone,
  carved boolean default false not null,
  constraint partition_pkey PRIMARY KEY (partition_id),
  constraint partition_partition_id_host_id_key UNIQUE (partition_id, host_id),
  constraint partition_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint partition_check CHECK (((cpu_milli >= min_cpu_milli) AND (cpu_milli <= max_cpu_milli))),
  constraint partition_check1 CHECK (((memory_bytes >= min_memory_bytes) AND (memory_bytes <= max_memory_bytes))),
  constraint partition_check2 CHECK (((disk_bytes >= min_disk_bytes) AND (disk_bytes <= max_disk_bytes))),
  constraint partition_check3 CHECK (((cpu_mode = 'shared'::text) OR ((cpu_milli % 1000) = 0))),
  constraint partition_cpu_milli_check CHECK ((cpu_milli > 0)),
  constraint partition_cpu_mode_check CHECK ((cpu_mode = ANY (ARRAY['dedicated'::text, 'shared'::text]))),
  constraint partition_disk_bytes_check CHECK ((disk_bytes >= 0)),
  constraint partition_memory_bytes_check CHECK ((memory_bytes > 0)),
  constraint partition_min_cpu_milli_check CHECK ((min_cpu_milli >= 0)),
  constraint partition_min_disk_bytes_check CHECK ((min_disk_bytes >= 0)),
  constraint partition_min_memory_bytes_check CHECK ((min_memory_bytes >= 0)),
  constraint partition_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint partition_partition_id_check CHECK ((partition_id ~~ 'partition\_%'::text)),
  constraint partition_minimums TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table party (
  party_id text not null,
  name text not null,
  roles text[] not null,
  credit_limit_micros bigint default 0 not null,
  created_at timestamp with time zone not null,
  constraint party_pkey PRIMARY KEY (party_id),
  constraint party_name_key UNIQUE (name),
  constraint party_credit_limit_micros_check CHECK ((credit_limit_micros >= 0)),
  constraint party_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint party_party_id_check CHECK ((party_id ~~ 'party\_%'::text)),
  constraint party_roles_check CHECK (((cardinality(roles) > 0) AND (roles <@ ARRAY['lender'::text, 'client'::text, 'provider'::text, 'operator'::text])))
);

create table provider_key (
  kid text not null,
  party_id text not null,
  public_jwk jsonb not null,
  private_jwk jsonb not null,
  created_at timestamp with time zone not null,
  retired_at timestamp with time zone,
  constraint provider_key_pkey PRIMARY KEY (kid),
  constraint provider_key_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
);

create table relay_ticket (
  ticket_sha256 bytea not null,
  lease_id text not null,
  key_id text not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  constraint relay_ticket_pkey PRIMARY KEY (ticket_sha256),
  constraint relay_ticket_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_key(key_id),
  constraint relay_ticket_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint relay_ticket_check CHECK ((expires_at > created_at)),
  constraint relay_ticket_ticket_sha256_check CHECK ((length(ticket_sha256) = 32))
);

create table reservation (
  reservation_id text not null,
  host_id text not null,
  partition_id text not null,
  lease_id text,
  cpu_milli integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  period tstzrange not null,
  standby_cpu_milli integer default 0 not null,
  standby_memory_bytes bigint default 0 not null,
  constraint reservation_pkey PRIMARY KEY (reservation_id),
  constraint reservation_of_host UNIQUE (reservation_id, host_id),
  constraint reservation_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint reservation_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint reservation_partition_id_fkey FOREIGN KEY (partition_id) REFERENCES partition(partition_id),
  constraint reservation_partition_id_host_id_fkey FOREIGN KEY (partition_id, host_id) REFERENCES partition(partition_id, host_id),
  constraint reservation_exclusive EXCLUDE USING gist (partition_id WITH =, period WITH &&) DEFERRABLE INITIALLY DEFERRED,
  constraint reservation_cpu_milli_check CHECK ((cpu_milli > 0)),
  constraint reservation_disk_bytes_check CHECK ((disk_bytes >= 0)),
  constraint reservation_memory_bytes_check CHECK ((memory_bytes > 0)),
  constraint reservation_period_check CHECK ((NOT isempty(period))),
  constraint reservation_reservation_id_check CHECK ((reservation_id ~~ 'reservation\_%'::text)),
  constraint standby_for_leases CHECK (((lease_id IS NOT NULL) OR ((standby_cpu_milli = 0) AND (standby_memory_bytes = 0)))),
  constraint standby_has_base CHECK ((((standby_cpu_milli = 0) OR ((cpu_milli - standby_cpu_milli) >= 1000)) AND ((standby_memory_bytes = 0) OR ((memory_bytes - standby_memory_bytes) >= 134217728)))),
  constraint standby_whole CHECK (((standby_cpu_milli >= 0) AND ((standby_cpu_milli % 1000) = 0) AND (standby_memory_bytes >= 0) AND ((standby_memory_bytes % (134217728)::bigint) = 0))),
  constraint reservation_capacity TRIGGER DEFERRABLE INITIALLY DEFERRED,
  constraint reservation_carved TRIGGER DEFERRABLE INITIALLY DEFERRED,
  constraint reservation_standby TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table run (
  run_id text not null,
  client_party_id text not null,
  kind text not null,
  command text not null,
  created_at timestamp with time zone not null,
  cancelled_at timestamp with time zone,
  exit_code integer,
  finished_at timestamp with time zone,
  constraint run_pkey PRIMARY KEY (run_id),
  constraint run_client_party_id_fkey FOREIGN KEY (client_party_id) REFERENCES party(party_id),
  constraint run_check CHECK (((exit_code IS NULL) = (finished_at IS NULL))),
  constraint run_command_check CHECK ((length(command) <= 4096)),
  constraint run_exit_code_check CHECK (((exit_code >= 0) AND (exit_code <= 255))),
  constraint run_kind_check CHECK ((kind = ANY (ARRAY['attached'::text, 'detached'::text, 'parallel'::text]))),
  constraint run_run_id_check CHECK ((run_id ~~ 'run\_%'::text))
);

create table run_lease (
  lease_id text not null,
  run_id text not null,
  outbox_bytes bigint,
  seal_key text,
  started_at timestamp with time zone,
  exited_at timestamp with time zone,
  exit_code integer,
  outputs_digest text,
  outputs_bytes bigint,
  outputs_until timestamp with time zone,
  outputs_gone text,
  constraint run_lease_pkey PRIMARY KEY (lease_id),
  constraint run_lease_lease_id_fkey FOREIGN KEY (lease_id) REFERENCES lease(lease_id),
  constraint run_lease_run_id_fkey FOREIGN KEY (run_id) REFERENCES run(run_id),
  constraint run_lease_check CHECK (((outbox_bytes IS NULL) = (seal_key IS NULL))),
  constraint run_lease_check1 CHECK (((exited_at IS NULL) = (exit_code IS NULL))),
  constraint run_lease_check2 CHECK (((outputs_digest IS NULL) = (outputs_bytes IS NULL))),
  constraint run_lease_check3 CHECK (((outputs_digest IS NULL) = (outputs_until IS NULL))),
  constraint run_lease_check4 CHECK (((outputs_digest IS NULL) OR (outbox_bytes IS NOT NULL))),
  constraint run_lease_exit_code_check CHECK (((exit_code >= 0) AND (exit_code <= 255))),
  constraint run_lease_outbox_bytes_check CHECK ((outbox_bytes > 0))
);

create table setting (
  only_one boolean default true not null,
  server_id text not null,
  currency text not null,
  minor_unit_digits smallint not null,
  billing_time_zone text not null,
  created_at timestamp with time zone not null,
  constraint setting_pkey PRIMARY KEY (only_one),
  constraint setting_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint setting_minor_unit_digits_check CHECK (((minor_unit_digits >= 0) AND (minor_unit_digits <= 6))),
  constraint setting_only_one_check CHECK (only_one)
);

create table signing_key (
  kid text not null,
  public_jwk jsonb not null,
  private_jwk jsonb not null,
  created_at timestamp with time zone not null,
  retired_at timestamp with time zone,
  succession_jws text,
  constraint signing_key_pkey PRIMARY KEY (kid)
);

create table standby_reservation (
  reservation_id text not null,
  host_id text not null,
  code_id text not null,
  quantity bigint not null,
  constraint standby_reservation_pkey PRIMARY KEY (reservation_id, code_id),
  constraint standby_reservation_host_id_code_id_fkey FOREIGN KEY (host_id, code_id) REFERENCES lent_code(host_id, code_id),
  constraint standby_reservation_reservation_id_host_id_fkey FOREIGN KEY (reservation_id, host_id) REFERENCES reservation(reservation_id, host_id) ON DELETE CASCADE,
  constraint standby_reservation_quantity_check CHECK ((quantity > 0)),
  constraint standby_reservation_part TRIGGER DEFERRABLE INITIALLY DEFERRED
);

create table usage_batch (
  batch_id text not null,
  chain_id text not null,
  host_id text not null,
  jws text not null,
  received_at timestamp with time zone not null,
  constraint usage_batch_pkey PRIMARY KEY (batch_id),
  constraint usage_batch_host_id_fkey FOREIGN KEY (host_id) REFERENCES host(host_id),
  constraint usage_batch_batch_id_check CHECK ((batch_id ~~ 'batch\_%'::text))
);

create table usage_record (
  chain_id text not null,
  seq bigint not null,
  hash text not null,
  previous_hash text not null,
  batch_id text not null,
  record jsonb not null,
  from_at timestamp with time zone not null,
  to_at timestamp with time zone not null,
  elapsed_ns numeric(30,0) not null,
  delivered_ns numeric(30,0) not null,
  cpu_ns numeric(30,0) not null,
  cpu_milli integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  gap boolean not null,
  final boolean not null,
  constraint usage_record_pkey PRIMARY KEY (chain_id, seq),
  constraint usage_record_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES usage_batch(batch_id),
  constraint usage_record_check CHECK ((delivered_ns <= elapsed_ns)),
  constraint usage_record_cpu_ns_check CHECK ((cpu_ns >= (0)::numeric)),
  constraint usage_record_delivered_ns_check CHECK ((delivered_ns >= (0)::numeric)),
  constraint usage_record_elapsed_ns_check CHECK ((elapsed_ns >= (0)::numeric)),
  constraint usage_record_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
  constraint usage_record_previous_hash_check CHECK ((previous_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint usage_record_seq_check CHECK ((seq > 0))
);


-- Indexes

CREATE UNIQUE INDEX account_party ON public.account USING btree (party_id, kind) WHERE (party_id IS NOT NULL);
CREATE UNIQUE INDEX account_system ON public.account USING btree (kind) WHERE (party_id IS NULL);
CREATE INDEX api_key_party ON public.api_key USING btree (party_id);
CREATE INDEX bill_capacity_act ON public.bill USING btree (host_id, lender_party_id, act_seq) WHERE (kind = 'capacity'::text);
CREATE UNIQUE INDEX bill_capacity_number ON public.bill USING btree (host_id, lender_party_id, number) WHERE (kind = 'capacity'::text);
CREATE INDEX bill_client ON public.bill USING btree (client_party_id, bill_id);
CREATE UNIQUE INDEX bill_final ON public.bill USING btree (lease_id) WHERE (kind = 'final'::text);
CREATE INDEX bill_lender ON public.bill USING btree (lender_party_id, bill_id);
CREATE INDEX capacity_act_kind ON public.capacity_act USING btree (host_id, kind, seq);
CREATE INDEX capacity_act_batch_host ON public.capacity_act_batch USING btree (host_id, head_seq);
CREATE INDEX capacity_chain_host ON public.capacity_chain USING btree (host_id, act_seq);
CREATE INDEX capacity_code_host ON public.capacity_code USING btree (host_id, sequence);
CREATE UNIQUE INDEX capacity_code_request ON public.capacity_code USING btree (request_id) WHERE (request_id IS NOT NULL);
CREATE INDEX capacity_due_at ON public.capacity_due USING btree (due_at);
CREATE INDEX capacity_order_host ON public.capacity_order USING btree (host_id, order_id);
CREATE INDEX capacity_request_host ON public.capacity_request USING btree (host_id, request_id);
CREATE INDEX capacity_request_open ON public.capacity_request USING btree (provider_party_id) WHERE (state = 'open'::text);
CREATE INDEX charge_bill ON public.charge USING btree (bill_id);
CREATE INDEX claim_attempt_at ON public.claim_attempt USING btree (at);
CREATE INDEX console_request_pending ON public.console_request USING btree (host_id) WHERE (answered_at IS NULL);
CREATE INDEX delivery_due ON public.delivery USING btree (due_at) WHERE (state = 'queued'::text);
CREATE INDEX delivery_failed ON public.delivery USING btree (target_id) WHERE (state = 'failed'::text);
CREATE INDEX delivery_target_list ON public.delivery USING btree (target_id, delivery_id);
CREATE UNIQUE INDEX delivery_target_one ON public.delivery_target USING btree (party_id, seller_party_id, kind, address) NULLS NOT DISTINCT;
CREATE INDEX delivery_target_seller ON public.delivery_target USING btree (seller_party_id, target_id) WHERE (seller_party_id IS NOT NULL);
CREATE INDEX hold_open ON public.hold USING btree (party_id) WHERE (released_at IS NULL);
CREATE INDEX host_lender ON public.host USING btree (lender_party_id);
CREATE UNIQUE INDEX host_name ON public.host USING btree (lender_party_id, name) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX host_key_current ON public.host_key USING btree (host_id) WHERE (until_at IS NULL);
CREATE INDEX lease_client ON public.lease USING btree (client_party_id, lease_id);
CREATE UNIQUE INDEX lease_in_use ON public.lease USING btree (partition_id) WHERE (state = ANY (ARRAY['preparing'::text, 'ready'::text, 'ending'::text]));
CREATE INDEX lease_lender ON public.lease USING btree (lender_party_id, lease_id);
CREATE INDEX lease_open ON public.lease USING btree (host_id) WHERE (state <> 'ended'::text);
CREATE UNIQUE INDEX extension_pending ON public.lease_extension USING btree (lease_id) WHERE (state = 'pending'::text);
CREATE INDEX ledger_entry_account ON public.ledger_entry USING btree (account_id);
CREATE INDEX ledger_transaction_at ON public.ledger_transaction USING btree (at, transaction_id);
CREATE UNIQUE INDEX offer_carve_in_force ON public.offer USING btree (host_id) WHERE ((partition_id IS NULL) AND (withdrawn_at IS NULL));
CREATE UNIQUE INDEX offer_in_force ON public.offer USING btree (partition_id) WHERE (withdrawn_at IS NULL);
CREATE INDEX operator_fee_lender ON public.operator_fee USING btree (lender_party_id, version);
CREATE UNIQUE INDEX partition_name ON public.partition USING btree (host_id, name) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX provider_key_current ON public.provider_key USING btree (party_id) WHERE (retired_at IS NULL);
CREATE INDEX relay_ticket_expiry ON public.relay_ticket USING btree (expires_at);
CREATE INDEX reservation_host ON public.reservation USING gist (host_id, period);
CREATE UNIQUE INDEX reservation_lease ON public.reservation USING btree (lease_id) WHERE (lease_id IS NOT NULL);
CREATE INDEX run_of_client ON public.run USING btree (client_party_id, run_id);
CREATE INDEX run_lease_kept ON public.run_lease USING btree (outputs_until) WHERE ((outputs_digest IS NOT NULL) AND (outputs_gone IS NULL));
CREATE INDEX run_lease_of_run ON public.run_lease USING btree (run_id);
CREATE UNIQUE INDEX signing_key_current ON public.signing_key USING btree ((true)) WHERE (retired_at IS NULL);
CREATE INDEX standby_reservation_code ON public.standby_reservation USING btree (host_id, code_id);
CREATE INDEX usage_batch_chain ON public.usage_batch USING btree (chain_id);
CREATE INDEX usage_record_batch ON public.usage_record USING btree (batch_id);

-- Functions

CREATE OR REPLACE FUNCTION public.check_balanced()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select sum(amount_micros) from ledger_entry where transaction_id = new.transaction_id) <> 0
  then
    raise exception 'transaction % does not balance', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_balanced';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_capacity()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
  select p.at into worst
    from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = the_host.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = the_host.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli - r.standby_cpu_milli) > the_host.base_cpu_milli
      or sum(r.memory_bytes - r.standby_memory_bytes) > the_host.base_memory_bytes
      or sum(r.disk_bytes) > the_host.base_disk_bytes
    order by p.at limit 1;
  if found then
    raise exception 'host % would hold more than it has at %', the_host.name, worst.at
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_carved()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.check_chain()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select 1 from lease where lease_id = new.chain_id)
      and not exists (select 1 from capacity_chain where chain_id = new.chain_id) then
    raise exception '% is no chain that is known', new.chain_id
      using errcode = 'SL004', constraint = 'chain_known';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_charged_once()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.check_entries()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select count(*) from ledger_entry where transaction_id = new.transaction_id) < 2 then
    raise exception 'transaction % moves nothing', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_balanced';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_entry()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select xmin from ledger_transaction where transaction_id = new.transaction_id)
      <> pg_current_xact_id()::xid then
    raise exception 'transaction % was posted before', new.transaction_id
      using errcode = 'SL004', constraint = 'ledger_posted';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_host_shrink()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform 1 from (select distinct greatest(lower(period), now()) as at from reservation
      where host_id = new.host_id and (upper_inf(period) or upper(period) > now())) p
    join reservation r on r.host_id = new.host_id and r.period @> p.at
    group by p.at
    having sum(r.cpu_milli - r.standby_cpu_milli) > new.base_cpu_milli
      or sum(r.memory_bytes - r.standby_memory_bytes) > new.base_memory_bytes
      or sum(r.disk_bytes) > new.base_disk_bytes;
  if found then
    raise exception 'host % would have less than is reserved on it', new.name
      using errcode = 'SL002', constraint = 'host_capacity';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_leased_host()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.check_lent_code()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (old.host_id, old.code_id, old.resource) is distinct from (new.host_id, new.code_id, new.resource)
    or lent_code_reserved(new.host_id, new.code_id) > new.resource_time
    or lent_code_peak(new.host_id, new.code_id, tstzrange(now(), null)) > new.quantity
    or exists (select 1 from standby_reservation s join reservation r using (reservation_id)
      join lease l using (lease_id) where s.host_id = new.host_id and s.code_id = new.code_id
        and l.state <> 'ended' and not r.period <@ new.validity) then
    raise exception 'more of % is reserved than that', new.code_id
      using errcode = 'SL002', constraint = 'lent_code_reserved';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_minimums()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.check_removal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform 1 from host where host_id = new.host_id and removed_at is not null;
  if not found then
    raise exception 'lease % ends by a removal of a host that is not removed', new.lease_id
      using errcode = 'SL003', constraint = 'lease_removal';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_reserved_host()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform refuse_closed_host(new.host_id, new.period);
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_reserved_standby()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  is_same boolean := false;
begin
  if tg_op = 'UPDATE' then
    is_same := (old.standby_cpu_milli, old.standby_memory_bytes)
      = (new.standby_cpu_milli, new.standby_memory_bytes);
  else
    is_same := new.standby_cpu_milli = 0 and new.standby_memory_bytes = 0;
  end if;
  if is_same and (new.standby_cpu_milli = 0 and new.standby_memory_bytes = 0
      or tg_op = 'UPDATE' and old.period @> new.period) then
    return null;
  end if;
  perform check_standby(new.reservation_id,
    tg_op = 'UPDATE' and is_same and lower(old.period) = lower(new.period)
    and exists (select 1 from lease l where l.lease_id = new.lease_id
      and l.state in ('preparing', 'ready', 'ending') and upper(old.period) > upper(l.period))
    and not exists (select 1 from lease_extension x
      where x.lease_id = new.lease_id and x.state = 'pending'));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.check_reversal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.check_standby(the_reservation_id text, overruns boolean)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  own reservation%rowtype;
  the_host host%rowtype;
  part record;
begin
  select * into own from reservation where reservation_id = the_reservation_id;
  if not found then return; end if;
  -- The host's lock makes writers take turns.
  select * into strict the_host from host where host_id = own.host_id for update;
  select coalesce(sum(s.quantity) filter (where c.resource = 'cpu'), 0) as cpu_milli,
      coalesce(sum(s.quantity) filter (where c.resource = 'memory'), 0) as memory_bytes
    into part
    from standby_reservation s join lent_code c using (host_id, code_id)
    where s.reservation_id = the_reservation_id;
  if part.cpu_milli <> own.standby_cpu_milli or part.memory_bytes <> own.standby_memory_bytes then
    perform refuse_standby(the_reservation_id, 'standby_by_code', 'is not what its codes give');
  end if;
  perform 1 from partition where partition_id = own.partition_id and cpu_mode = 'dedicated';
  if not found then
    perform refuse_standby(the_reservation_id, 'standby_dedicated', 'would be of shared cpu');
  end if;
  perform 1 from (select distinct greatest(lower(period), lower(own.period), now()) as at
      from reservation where host_id = own.host_id and period && own.period) p
    join reservation r on r.host_id = own.host_id and r.period @> p.at
    group by p.at
    having sum(r.standby_cpu_milli) > the_host.standby_cpu_milli
      or sum(r.standby_memory_bytes) > the_host.standby_memory_bytes;
  if found then
    perform refuse_standby(the_reservation_id, 'standby_capacity', 'is more than is installed');
  end if;
  for part in select c.* from standby_reservation s join lent_code c using (host_id, code_id)
      where s.reservation_id = the_reservation_id loop
    if lent_code_peak(part.host_id, part.code_id, own.period) > part.quantity then
      perform refuse_standby(the_reservation_id, 'lent_code_quantity',
        'is more than ' || part.code_id || ' has');
    end if;
    continue when overruns;
    if not own.period <@ part.validity then
      perform refuse_standby(the_reservation_id, 'lent_code_validity', 'outlasts ' || part.code_id);
    end if;
    if lent_code_reserved(part.host_id, part.code_id) > part.resource_time then
      perform refuse_standby(the_reservation_id, 'lent_code_time',
        'needs more resource-time than ' || part.code_id || ' has');
    end if;
  end loop;
end $function$;

CREATE OR REPLACE FUNCTION public.check_standby_part()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not lent_code_open(new.host_id, new.code_id) then
    perform refuse_standby(new.reservation_id, 'lent_code_closed',
      'is of ' || new.code_id || ', which is lent no more');
  end if;
  perform check_standby(new.reservation_id, false);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.freeze_partition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.freeze_reservation()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
        old.disk_bytes, old.standby_cpu_milli, old.standby_memory_bytes, lower(old.period))
      is distinct from
       (new.host_id, new.partition_id, new.lease_id, new.cpu_milli, new.memory_bytes,
        new.disk_bytes, new.standby_cpu_milli, new.standby_memory_bytes, lower(new.period))
    or (old.lease_id = held_by and upper(new.period) < upper(old.period)
      and upper(new.period) <= (select upper(period) from lease where lease_id = held_by))) then
    perform refuse_in_use(old.partition_id, held_by);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_booked()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.guard_capacity_code()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.guard_extension()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' then
    raise exception 'an extension is never deleted' using errcode = 'SL003';
  end if;
  -- A lapsed one comes back only when its host proves that it had acknowledged it in time.
  if old.state = 'in-force' or (new.state = 'pending' and old.state <> 'pending')
    or (old.extension_id, old.lease_id, old.request_sha256, old.sequence, old.grant_jws,
        old.ends_before, old.ends_at, old.additional_micros)
      is distinct from
       (new.extension_id, new.lease_id, new.request_sha256, new.sequence, new.grant_jws,
        new.ends_before, new.ends_at, new.additional_micros) then
    raise exception 'extension % is fixed', old.extension_id
      using errcode = 'SL003', constraint = 'extension_fixed';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_hold()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.guard_host()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  in_the_way text;
begin
  if old.removed_at is not null and new.removed_at is distinct from old.removed_at then
    raise exception 'host % was removed for good', old.host_id
      using errcode = 'SL003', constraint = 'host_removed';
  end if;
  if old.removed_at is null and new.removed_at is not null then
    select lease_id into in_the_way from lease
      where host_id = old.host_id and state <> 'ended' limit 1;
    if found then
      raise exception 'host % has open leases', old.host_id
        using errcode = 'SL001', constraint = 'host_in_use', detail = in_the_way;
    end if;
    perform 1 from partition where host_id = old.host_id and removed_at is null;
    if found then
      raise exception 'host % still has partitions', old.host_id
        using errcode = 'SL003', constraint = 'host_partitions';
    end if;
  end if;
  if new.maintenance_from is not null
    and (old.maintenance_from, old.maintenance_until)
      is distinct from (new.maintenance_from, new.maintenance_until) then
    select lease_id into in_the_way from reservation
      where host_id = old.host_id and lease_id is not null
        and period && tstzrange(new.maintenance_from, new.maintenance_until) limit 1;
    if found then
      raise exception 'host % is leased during that maintenance', old.host_id
        using errcode = 'SL001', constraint = 'host_maintenance', detail = in_the_way;
    end if;
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_host_key()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' or old.until_at is not null
      or (old.kid, old.host_id, old.public_jwk, old.from_at, old.rotation_jws)
        is distinct from (new.kid, new.host_id, new.public_jwk, new.from_at, new.rotation_jws) then
    raise exception 'a key of a host is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_lease()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
      old.image_id, old.tariff, old.booking_sha256, old.ssh_public_key, old.created_at)
      is distinct from
     (new.client_party_id, new.lender_party_id, new.host_id, new.partition_id, new.offer_id,
      new.image_id, new.tariff, new.booking_sha256, new.ssh_public_key, new.created_at)
      -- What it costs changes with its length, and only so.
      or (old.quote is distinct from new.quote
        and coalesce(upper(new.period) <= upper(old.period), true))
      -- While it is prepared, the grant that its host holds already may take its place.
      or (old.grant_jws is not null and new.grant_jws is distinct from old.grant_jws
        and (old.state <> 'preparing' or coalesce(new.grant_jws, '') not like '%.%.%'))
      or (old.wipe_receipt_jws is not null
        and new.wipe_receipt_jws is distinct from old.wipe_receipt_jws)
      or (old.outcome is not null and new.outcome is distinct from old.outcome) then
    raise exception 'the terms of lease % are fixed', old.lease_id
      using errcode = 'SL003', constraint = 'lease_terms';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_lease_length()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the terms of lease % are fixed', old.lease_id
    using errcode = 'SL003', constraint = 'lease_terms';
end $function$;

CREATE OR REPLACE FUNCTION public.guard_partition_removal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and old.removed_at is not null and new.removed_at is null then
    raise exception 'partition % was removed for good', old.partition_id
      using errcode = 'SL003', constraint = 'partition_removed';
  end if;
  if new.removed_at is null then
    perform 1 from host where host_id = new.host_id and removed_at is not null;
    if found then
      raise exception 'host % was removed', new.host_id
        using errcode = 'SL003', constraint = 'host_removed';
    end if;
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_setting()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' or (old.server_id, old.currency, old.minor_unit_digits,
      old.billing_time_zone, old.created_at) is distinct from (new.server_id, new.currency,
      new.minor_unit_digits, new.billing_time_zone, new.created_at) then
    raise exception 'the books keep their server, currency and time zone'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_signing_key()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' or old.retired_at is not null
      or (old.kid, old.public_jwk, old.private_jwk, old.created_at, old.succession_jws)
      is distinct from
      (new.kid, new.public_jwk, new.private_jwk, new.created_at, new.succession_jws) then
    raise exception 'a signing key is retired, and nothing else'
      using errcode = 'SL003', constraint = 'append_only';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.guard_standby_part()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    perform 1 from reservation r join lease l using (lease_id)
      where r.reservation_id = new.reservation_id and l.state = 'booked';
    if found then return new; end if;
  elsif tg_op = 'DELETE' then
    perform 1 from reservation where reservation_id = old.reservation_id;
    if not found then return old; end if;
  end if;
  raise exception 'the standby part of a reservation is taken at the booking'
    using errcode = 'SL003', constraint = 'standby_fixed';
end $function$;

CREATE OR REPLACE FUNCTION public.keep_most_of_base()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.base_cpu_milli_most := greatest(new.base_cpu_milli_most, new.base_cpu_milli);
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.lent_code_open(the_host_id text, the_code_id text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select reported and not exists (select 1 from capacity_order o
      where o.host_id = the_host_id and o.outcome is null and o.ordered ->> 'kind' = 'keep'
        and o.ordered ->> 'codeId' = the_code_id)
    from lent_code where host_id = the_host_id and code_id = the_code_id
$function$;

CREATE OR REPLACE FUNCTION public.lent_code_peak(the_host_id text, the_code_id text, during tstzrange)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  with taken as (
    select s.quantity, r.period from standby_reservation s join reservation r using (reservation_id)
      where s.host_id = the_host_id and s.code_id = the_code_id and r.period && during
  ), instants as (
    select distinct greatest(lower(period), lower(during)) as at from taken
  )
  select coalesce(max(total), 0)::bigint from (
    select sum(t.quantity) as total from instants i join taken t on t.period @> i.at group by i.at
  ) sums
$function$;

CREATE OR REPLACE FUNCTION public.lent_code_reserved(the_host_id text, the_code_id text)
 RETURNS numeric
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(sum(s.quantity
      * extract(epoch from upper(r.period) - lower(r.period)) * 1000000000), 0)::numeric(60)
    from standby_reservation s
    join lent_code c using (host_id, code_id)
    join reservation r using (reservation_id)
    join lease l using (lease_id)
    where s.host_id = the_host_id and s.code_id = the_code_id and upper(r.period) > c.lent_at
      and not (l.state = 'ended' and l.grant_jws is null)
$function$;

CREATE OR REPLACE FUNCTION public.notify_desired()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('host_desired', new.host_id);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.notify_lease_event()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('lease_event', new.lease_id);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.operator_fee_of(the_lender text)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(
    (select fee_ppm from operator_fee where lender_party_id = the_lender
      order by version desc limit 1),
    (select fee_ppm from operator_fee where lender_party_id is null
      order by version desc limit 1),
    0)
$function$;

CREATE OR REPLACE FUNCTION public.partition_in_use(the_partition_id text)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select lease_id from lease
    where partition_id = the_partition_id and state in ('preparing', 'ready', 'ending')
$function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'SL003', constraint = 'append_only';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_closed_host(the_host_id text, the_period tstzrange)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  the_host host%rowtype;
  closed_by text;
begin
  select * into strict the_host from host where host_id = the_host_id for update;
  closed_by := case
    when the_host.removed_at is not null then 'host_removed'
    when the_host.drained_at is not null then 'host_drained'
    when the_host.maintenance_from is not null
      and the_period && tstzrange(the_host.maintenance_from, the_host.maintenance_until)
      then 'host_maintenance'
  end;
  if closed_by is not null then
    raise exception 'host % takes no lease then', the_host.name
      using errcode = 'SL001', constraint = closed_by;
  end if;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_in_use(the_partition_id text, lease_id text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'partition % is in use by %', the_partition_id, lease_id
    using errcode = 'SL001', constraint = 'partition_in_use', detail = lease_id;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_standby(the_reservation_id text, rule text, why text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the standby part of % %', the_reservation_id, why
    using errcode = 'SL002', constraint = rule;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_unconfirmed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform 1 from host where host_id = new.host_id and card_jws is not null and confirmed_at is null;
  if found then
    raise exception 'nobody has said that host % is of who would be billed', new.host_id
      using errcode = 'SL003', constraint = 'host_confirmed';
  end if;
  return new;
end $function$;


-- Triggers

CREATE TRIGGER bill_append BEFORE DELETE OR UPDATE ON public.bill FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_keep BEFORE TRUNCATE ON public.bill FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_act_append BEFORE DELETE OR UPDATE ON public.capacity_act FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_act_keep BEFORE TRUNCATE ON public.capacity_act FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_act_batch_append BEFORE DELETE OR UPDATE ON public.capacity_act_batch FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_act_batch_keep BEFORE TRUNCATE ON public.capacity_act_batch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_chain_append BEFORE DELETE OR UPDATE ON public.capacity_chain FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_chain_keep BEFORE TRUNCATE ON public.capacity_chain FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capacity_code_confirmed BEFORE INSERT ON public.capacity_code FOR EACH ROW EXECUTE FUNCTION refuse_unconfirmed();
CREATE TRIGGER capacity_code_guard BEFORE DELETE OR UPDATE ON public.capacity_code FOR EACH ROW EXECUTE FUNCTION guard_capacity_code();
CREATE TRIGGER capacity_code_keep BEFORE TRUNCATE ON public.capacity_code FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER charge_append BEFORE DELETE OR UPDATE ON public.charge FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER charge_keep BEFORE TRUNCATE ON public.charge FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER charge_once AFTER INSERT ON public.charge REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_charged_once();
CREATE TRIGGER delivery_attempt_append BEFORE DELETE OR UPDATE ON public.delivery_attempt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_attempt_keep BEFORE TRUNCATE ON public.delivery_attempt FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER hold_guard BEFORE DELETE OR UPDATE ON public.hold FOR EACH ROW EXECUTE FUNCTION guard_hold();
CREATE TRIGGER hold_keep BEFORE TRUNCATE ON public.hold FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER host_desired_notify AFTER UPDATE OF desired_generation ON public.host FOR EACH ROW EXECUTE FUNCTION notify_desired();
CREATE TRIGGER host_guard BEFORE UPDATE ON public.host FOR EACH ROW EXECUTE FUNCTION guard_host();
CREATE TRIGGER host_keep BEFORE TRUNCATE ON public.host FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER host_most_of_base BEFORE INSERT OR UPDATE OF base_cpu_milli ON public.host FOR EACH ROW EXECUTE FUNCTION keep_most_of_base();
CREATE TRIGGER host_shrink BEFORE UPDATE OF base_cpu_milli, base_memory_bytes, base_disk_bytes ON public.host FOR EACH ROW WHEN (((new.base_cpu_milli < old.base_cpu_milli) OR (new.base_memory_bytes < old.base_memory_bytes) OR (new.base_disk_bytes < old.base_disk_bytes))) EXECUTE FUNCTION check_host_shrink();
CREATE TRIGGER host_key_guard BEFORE DELETE OR UPDATE ON public.host_key FOR EACH ROW EXECUTE FUNCTION guard_host_key();
CREATE TRIGGER host_key_keep BEFORE TRUNCATE ON public.host_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lease_guard BEFORE INSERT OR DELETE OR UPDATE ON public.lease FOR EACH ROW EXECUTE FUNCTION guard_lease();
CREATE TRIGGER lease_host_open BEFORE UPDATE OF period, removal_jws ON public.lease FOR EACH ROW EXECUTE FUNCTION check_leased_host();
CREATE TRIGGER lease_keep BEFORE TRUNCATE ON public.lease FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lease_length_guard BEFORE UPDATE ON public.lease FOR EACH ROW WHEN ((old.lease_seconds_max IS DISTINCT FROM new.lease_seconds_max)) EXECUTE FUNCTION guard_lease_length();
CREATE CONSTRAINT TRIGGER lease_removal AFTER INSERT OR UPDATE OF removal_jws ON public.lease DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.removal_jws IS NOT NULL)) EXECUTE FUNCTION check_removal();
CREATE TRIGGER lease_windows_guard BEFORE UPDATE ON public.lease FOR EACH ROW WHEN (((old.windows IS DISTINCT FROM new.windows) OR (old.time_zone IS DISTINCT FROM new.time_zone))) EXECUTE FUNCTION guard_lease_length();
CREATE TRIGGER lease_event_append BEFORE DELETE OR UPDATE ON public.lease_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lease_event_keep BEFORE TRUNCATE ON public.lease_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lease_event_notify AFTER INSERT ON public.lease_event FOR EACH ROW EXECUTE FUNCTION notify_lease_event();
CREATE TRIGGER extension_guard BEFORE DELETE OR UPDATE ON public.lease_extension FOR EACH ROW EXECUTE FUNCTION guard_extension();
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON public.ledger_entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_balanced();
CREATE TRIGGER ledger_entry_append BEFORE DELETE OR UPDATE ON public.ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_keep BEFORE TRUNCATE ON public.ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_posted BEFORE INSERT ON public.ledger_entry FOR EACH ROW EXECUTE FUNCTION check_entry();
CREATE CONSTRAINT TRIGGER ledger_reversal AFTER INSERT ON public.ledger_transaction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.reverses IS NOT NULL)) EXECUTE FUNCTION check_reversal();
CREATE TRIGGER ledger_transaction_append BEFORE DELETE OR UPDATE ON public.ledger_transaction FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER ledger_transaction_entries AFTER INSERT ON public.ledger_transaction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entries();
CREATE TRIGGER ledger_transaction_keep BEFORE TRUNCATE ON public.ledger_transaction FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lent_code_keep BEFORE TRUNCATE ON public.lent_code FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lent_code_kept AFTER UPDATE ON public.lent_code FOR EACH ROW WHEN ((((((((old.host_id IS DISTINCT FROM new.host_id) OR (old.code_id IS DISTINCT FROM new.code_id)) OR (old.resource IS DISTINCT FROM new.resource)) OR (old.quantity IS DISTINCT FROM new.quantity)) OR (old.resource_time IS DISTINCT FROM new.resource_time)) OR (old.validity IS DISTINCT FROM new.validity)) OR (old.lent_at IS DISTINCT FROM new.lent_at))) EXECUTE FUNCTION check_lent_code();
CREATE TRIGGER operator_fee_append BEFORE DELETE OR UPDATE ON public.operator_fee FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operator_fee_keep BEFORE TRUNCATE ON public.operator_fee FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER partition_freeze BEFORE DELETE OR UPDATE ON public.partition FOR EACH ROW EXECUTE FUNCTION freeze_partition();
CREATE TRIGGER partition_keep BEFORE TRUNCATE ON public.partition FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER partition_minimums AFTER INSERT OR UPDATE ON public.partition DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_minimums();
CREATE TRIGGER partition_promised BEFORE UPDATE ON public.partition FOR EACH ROW EXECUTE FUNCTION guard_booked();
CREATE TRIGGER partition_removal BEFORE INSERT OR UPDATE ON public.partition FOR EACH ROW EXECUTE FUNCTION guard_partition_removal();
CREATE TRIGGER party_keep BEFORE TRUNCATE ON public.party FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER provider_key_guard BEFORE DELETE OR UPDATE ON public.provider_key FOR EACH ROW EXECUTE FUNCTION guard_signing_key();
CREATE TRIGGER provider_key_keep BEFORE TRUNCATE ON public.provider_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER reservation_capacity AFTER INSERT OR UPDATE ON public.reservation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_capacity();
CREATE CONSTRAINT TRIGGER reservation_carved AFTER INSERT OR UPDATE ON public.reservation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_carved();
CREATE TRIGGER reservation_freeze BEFORE INSERT OR DELETE OR UPDATE ON public.reservation FOR EACH ROW EXECUTE FUNCTION freeze_reservation();
CREATE TRIGGER reservation_host_open BEFORE INSERT ON public.reservation FOR EACH ROW WHEN ((new.lease_id IS NOT NULL)) EXECUTE FUNCTION check_reserved_host();
CREATE TRIGGER reservation_keep BEFORE TRUNCATE ON public.reservation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER reservation_standby AFTER INSERT OR UPDATE ON public.reservation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_reserved_standby();
CREATE TRIGGER setting_guard BEFORE DELETE OR UPDATE ON public.setting FOR EACH ROW EXECUTE FUNCTION guard_setting();
CREATE TRIGGER setting_keep BEFORE TRUNCATE ON public.setting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER signing_key_guard BEFORE DELETE OR UPDATE ON public.signing_key FOR EACH ROW EXECUTE FUNCTION guard_signing_key();
CREATE TRIGGER signing_key_keep BEFORE TRUNCATE ON public.signing_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER standby_reservation_guard BEFORE INSERT OR DELETE OR UPDATE ON public.standby_reservation FOR EACH ROW EXECUTE FUNCTION guard_standby_part();
CREATE TRIGGER standby_reservation_keep BEFORE TRUNCATE ON public.standby_reservation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE CONSTRAINT TRIGGER standby_reservation_part AFTER INSERT ON public.standby_reservation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_standby_part();
CREATE TRIGGER usage_batch_append BEFORE DELETE OR UPDATE ON public.usage_batch FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_batch_chain BEFORE INSERT ON public.usage_batch FOR EACH ROW EXECUTE FUNCTION check_chain();
CREATE TRIGGER usage_batch_keep BEFORE TRUNCATE ON public.usage_batch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_record_append BEFORE DELETE OR UPDATE ON public.usage_record FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_record_chain BEFORE INSERT ON public.usage_record FOR EACH ROW EXECUTE FUNCTION check_chain();
CREATE TRIGGER usage_record_keep BEFORE TRUNCATE ON public.usage_record FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
