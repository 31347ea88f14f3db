/** The agent's accounts, services, meters and acts of enabled capacity. Quantities are text. */
export const CAPACITY_STEP = `
  CREATE TABLE capacity_code (
    code_id     TEXT PRIMARY KEY,
    sha256      TEXT NOT NULL,
    jws         TEXT NOT NULL,
    code        TEXT NOT NULL,
    debited     TEXT NOT NULL DEFAULT '0',
    accepted_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE capacity_service (
    service_id     TEXT PRIMARY KEY,
    provider_id    TEXT NOT NULL,
    code_id        TEXT NOT NULL REFERENCES capacity_code,
    mode           TEXT NOT NULL,
    resource       TEXT NOT NULL,
    quantity       INTEGER NOT NULL,
    -- Of dedicated capacity.
    partition_id   TEXT,
    partition_name TEXT,
    -- Of a leased partition: whose client has consented.
    lease_id       TEXT,
    -- Standby cores that it has, and nobody else.
    cores          TEXT NOT NULL,
    state          TEXT NOT NULL,
    -- The life of the guest that has it; null: none has.
    process_id     TEXT,
    return_reason  TEXT,
    -- Which of the code's means has brought it back, or was tried last.
    means          TEXT,
    failures       INTEGER NOT NULL DEFAULT 0,
    retry_at_ns    TEXT,
    wanted_at      TEXT NOT NULL
  ) STRICT;

  CREATE TABLE capacity_chain (
    chain_id       TEXT PRIMARY KEY,
    service_id     TEXT NOT NULL REFERENCES capacity_service,
    provider_id    TEXT NOT NULL,
    partition_id   TEXT NOT NULL,
    partition_name TEXT NOT NULL,
    lease_id       TEXT,
    closed         INTEGER NOT NULL DEFAULT 0,
    -- Of its last record: what was metered in how long.
    last_metered   TEXT NOT NULL DEFAULT '0',
    last_elapsed   TEXT NOT NULL DEFAULT '0'
  ) STRICT;

  -- What each record of capacity adds, for what is unreported and what is not billed.
  CREATE TABLE capacity_use (
    chain_id     TEXT NOT NULL REFERENCES capacity_chain,
    seq          INTEGER NOT NULL,
    from_at      TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    -- Metered by all records of the chain up to this one.
    metered_sum  TEXT NOT NULL,
    billed       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (chain_id, seq)
  ) STRICT;
  CREATE INDEX capacity_use_unbilled ON capacity_use (chain_id, seq) WHERE billed = 0;

  -- Shared use of a partition in a billing period, over all services.
  CREATE TABLE capacity_period (
    partition_id TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    threshold    TEXT NOT NULL,
    used         TEXT NOT NULL,
    excess       TEXT NOT NULL,
    PRIMARY KEY (partition_id, period_start, period_end)
  ) STRICT;

  CREATE TABLE capacity_threshold (
    partition_id TEXT NOT NULL,
    from_at      TEXT NOT NULL,
    threshold    TEXT NOT NULL,
    PRIMARY KEY (partition_id, from_at)
  ) STRICT;

  -- Shared guests that may use more than their entitlement, in which life.
  CREATE TABLE capacity_raised (
    guest_id   TEXT PRIMARY KEY,
    process_id TEXT NOT NULL,
    -- Also of one that took no notice: it is not asked again in this life.
    cpu_milli  INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE capacity_act (
    seq  INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    act  TEXT NOT NULL
  ) STRICT;
  CREATE TABLE capacity_acts_batch (
    batch_id    TEXT PRIMARY KEY,
    provider_id TEXT NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    jws         TEXT NOT NULL
  ) STRICT;

  CREATE TABLE capacity_provider (
    provider_id     TEXT PRIMARY KEY,
    acts_receipted  INTEGER NOT NULL DEFAULT 0,
    -- Since when there is too much that no receipt covers; null: there is not.
    overdue_since   TEXT,
    used_up_since   TEXT
  ) STRICT;

  -- How long this agent has seen its clock run, and the time of its events.
  CREATE TABLE capacity_clock (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id      TEXT NOT NULL,
    monotonic_ns TEXT NOT NULL,
    run_ns       TEXT NOT NULL,
    at_ns        TEXT NOT NULL
  ) STRICT;

  -- Codes of other hosts that were entered in a row.
  CREATE TABLE capacity_wrong (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    times       INTEGER NOT NULL,
    boot_id     TEXT NOT NULL,
    until_ns    TEXT NOT NULL
  ) STRICT;

  -- What became of the owner's orders that came by the server: told again when it was not heard.
  CREATE TABLE capacity_order (
    order_id TEXT PRIMARY KEY,
    outcome  TEXT NOT NULL,
    message  TEXT NOT NULL
  ) STRICT;
`;

/**
 * What a partition may use without charge is each provider's own, by each rule of comparison: what
 * was counted over all of them belongs to those whose meters counted it.
 */
export const CAPACITY_PROVIDERS_STEP = `
  ALTER TABLE capacity_period RENAME TO capacity_period_of_all;
  -- Shared use of a partition in a billing period, over all services of one provider.
  CREATE TABLE capacity_period (
    provider_id  TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    -- 'allowance', or 'rate' with its interval in seconds: each has a total of its own.
    rule         TEXT NOT NULL,
    threshold    TEXT NOT NULL,
    used         TEXT NOT NULL,
    excess       TEXT NOT NULL,
    PRIMARY KEY (provider_id, partition_id, period_start, period_end, rule)
  ) STRICT;
  INSERT INTO capacity_period
    SELECT DISTINCT c.provider_id, p.partition_id, p.period_start, p.period_end,
        CASE json_extract(p.threshold, '$.kind')
          WHEN 'rate' THEN 'rate ' || json_extract(p.threshold, '$.intervalSeconds')
          ELSE 'allowance' END,
        p.threshold, p.used, p.excess
      FROM capacity_period_of_all p JOIN capacity_chain c USING (partition_id);
  DROP TABLE capacity_period_of_all;

  ALTER TABLE capacity_threshold RENAME TO capacity_threshold_of_all;
  CREATE TABLE capacity_threshold (
    provider_id  TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    from_at      TEXT NOT NULL,
    threshold    TEXT NOT NULL,
    PRIMARY KEY (provider_id, partition_id, from_at)
  ) STRICT;
  INSERT INTO capacity_threshold
    SELECT DISTINCT json_extract(k.code, '$.iss'), t.partition_id, t.from_at, t.threshold
      FROM capacity_threshold_of_all t CROSS JOIN capacity_code k;
  DROP TABLE capacity_threshold_of_all;

  -- The instant of the last demand for a bill that was answered.
  ALTER TABLE capacity_provider ADD COLUMN demand_answered TEXT;

  -- Since when its codes enable nothing, though its keys are pinned; null: it is trusted.
  ALTER TABLE trusted_provider ADD COLUMN untrusted_at TEXT;

  -- Services whose timer stands still, with the reason that the last act of them gave.
  CREATE TABLE capacity_pause (
    service_id TEXT PRIMARY KEY REFERENCES capacity_service,
    reason     TEXT NOT NULL
  ) STRICT;
`;

/** When the resource-time of a provider's codes was used up: of each resource by itself. */
export const CAPACITY_USED_UP_STEP = `
  CREATE TABLE capacity_used_up (
    provider_id TEXT NOT NULL,
    resource    TEXT NOT NULL,
    since       TEXT NOT NULL,
    PRIMARY KEY (provider_id, resource)
  ) STRICT;
  ALTER TABLE capacity_provider DROP COLUMN used_up_since;
`;

/** What tells a provider's later word from an earlier one, and that it has lost something. */
export const CAPACITY_RECEIPTS_STEP = `
  -- By the provider's clock: when it gave the last receipt that was taken here.
  ALTER TABLE capacity_provider ADD COLUMN receipted_at TEXT;
  -- By this host's: when it last showed the provider where its ledger stands.
  ALTER TABLE capacity_provider ADD COLUMN head_at TEXT;
  ALTER TABLE capacity_chain ADD COLUMN receipted_at TEXT;
  -- The most that a receipt has covered: what a provider loses later was reported all the same.
  ALTER TABLE capacity_chain ADD COLUMN receipted_seq INTEGER NOT NULL DEFAULT 0;
`;

/** Resource-time that is kept for leases, and codes that serve nothing else. */
export const LENT_STEP = `
  -- Of a code, what a service in a leased partition has reserved and not used yet.
  CREATE TABLE capacity_reservation (
    service_id TEXT NOT NULL REFERENCES capacity_service,
    code_id    TEXT NOT NULL REFERENCES capacity_code,
    quantity   TEXT NOT NULL,
    PRIMARY KEY (service_id, code_id)
  ) STRICT;

  -- Since when leases alone draw on it, and what was left of it then; null: it is the owner's own.
  ALTER TABLE capacity_code ADD COLUMN lent_at TEXT;
  ALTER TABLE capacity_code ADD COLUMN lent_left TEXT;
`;

/** What a lease's grant says to be standby's. */
export const LENT_SERVICE_STEP = `
  -- By a code that is lent: every life of the lease's guest boots with it.
  ALTER TABLE capacity_service ADD COLUMN is_lent INTEGER NOT NULL DEFAULT 0;
`;

/** When too much of a provider's resource was without receipt: of each resource by itself. */
export const CAPACITY_OVERDUE_STEP = `
  CREATE TABLE capacity_overdue (
    provider_id TEXT NOT NULL,
    resource    TEXT NOT NULL,
    since       TEXT NOT NULL,
    PRIMARY KEY (provider_id, resource)
  ) STRICT;
  ALTER TABLE capacity_provider DROP COLUMN overdue_since;
`;

/**
 * By how much the time of events is proven to be ahead, until it was set back by that; and how long
 * this agent had run when what proved it was made: what is older proves nothing more.
 */
export const CAPACITY_AHEAD_STEP = `
  CREATE TABLE capacity_ahead (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    ahead_ns TEXT NOT NULL,
    run_ns   TEXT NOT NULL
  ) STRICT;
  -- How long the agent had run when this boot began.
  ALTER TABLE capacity_clock ADD COLUMN boot_run_ns TEXT NOT NULL DEFAULT '0';
  UPDATE capacity_clock SET boot_run_ns = run_ns;
`;
