import {
  CAPACITY_AHEAD_STEP,
  CAPACITY_OVERDUE_STEP,
  CAPACITY_PROVIDERS_STEP,
  CAPACITY_RECEIPTS_STEP,
  CAPACITY_STEP,
  CAPACITY_USED_UP_STEP,
  LENT_SERVICE_STEP,
  LENT_STEP,
} from "../capacity/schema.ts";

/**
 * The agent's own state, one step per version; a step that was released is never edited.
 * Monotonic instants are text: in nanoseconds they outgrow what JavaScript's numbers hold exactly.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE identity (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    private_jwk  TEXT NOT NULL,
    -- Null until the host has joined.
    host_id      TEXT,
    host_name    TEXT,
    server_id    TEXT,
    server_url   TEXT,
    server_keys  TEXT,
    -- What the defaults came to at the first start.
    memory_bytes INTEGER,
    disk_bytes   INTEGER
  ) STRICT;

  CREATE TABLE anchor (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id       TEXT NOT NULL,
    monotonic_ns  TEXT NOT NULL,
    server_now_ms INTEGER NOT NULL
  ) STRICT;

  -- Allocation information: what this host gives to which partition.
  CREATE TABLE partition (
    partition_id       TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    cpu_mode           TEXT NOT NULL,
    lendable           INTEGER NOT NULL,
    size               TEXT NOT NULL,
    generation         INTEGER NOT NULL,
    -- What it goes back to when its lease is wiped; null while none has re-cut it.
    standing_size      TEXT,
    -- What the server last told, applied when no lease holds the partition.
    desired_size       TEXT NOT NULL,
    desired_generation INTEGER NOT NULL,
    removal_wanted     INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE lease (
    lease_id         TEXT PRIMARY KEY,
    partition_id     TEXT NOT NULL,
    stage            TEXT NOT NULL,
    received_at      TEXT NOT NULL,
    grant_jws        TEXT,
    -- The payload, once it was verified here.
    granted          TEXT,
    end_jws          TEXT,
    end_reason       TEXT,
    ends_at          TEXT,
    ends_at_ns       TEXT,
    ends_boot_id     TEXT,
    ends_by          TEXT,
    cores            TEXT,
    uid              INTEGER,
    port             INTEGER,
    host_key_private TEXT,
    host_key_public  TEXT,
    booted_at_ns     TEXT,
    process_id       TEXT,
    cpu_ns           TEXT NOT NULL DEFAULT '0',
    is_delivered     INTEGER NOT NULL DEFAULT 0,
    silent_readings  INTEGER NOT NULL DEFAULT 0,
    failures         INTEGER NOT NULL DEFAULT 0,
    retry_at_ns      TEXT,
    report_count     INTEGER NOT NULL DEFAULT 0,
    receipt_jws      TEXT
  ) STRICT;
  CREATE INDEX lease_live ON lease (partition_id) WHERE stage <> 'done';

  -- Reports: stored before they are sent, sent in order, forgotten when taken or refused.
  CREATE TABLE report (
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    report_id TEXT NOT NULL UNIQUE,
    lease_id  TEXT NOT NULL,
    report    TEXT NOT NULL
  ) STRICT;
  `,
  `
  -- Keys beside the present one: 'next' is stored before the server hears of it, 'old' ones sign
  -- what belongs to leases that were granted under them.
  CREATE TABLE other_key (
    kid         TEXT PRIMARY KEY,
    private_jwk TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('next', 'old'))
  ) STRICT;
  `,
  `
  -- Of the last grant that was taken, and every extension that the server told of, in order.
  ALTER TABLE lease ADD COLUMN sequence INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE lease ADD COLUMN ready_report TEXT;
  ALTER TABLE lease ADD COLUMN extensions TEXT NOT NULL DEFAULT '[]';
  `,
  `
  -- What a lease may re-cut a partition to.
  ALTER TABLE partition ADD COLUMN min_size TEXT;
  ALTER TABLE partition ADD COLUMN max_size TEXT;

  -- What the client last wanted of its guest's power, by number, and up to which it was done.
  ALTER TABLE lease ADD COLUMN power_state TEXT NOT NULL DEFAULT 'on';
  ALTER TABLE lease ADD COLUMN power_generation INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE lease ADD COLUMN power_done_generation INTEGER NOT NULL DEFAULT 0;
  -- Of a wish that is under way: its guest is off, and may be to come on again.
  ALTER TABLE lease ADD COLUMN is_power_cut INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- What was reported of the client's run, and whether what it left behind is out of the host.
  ALTER TABLE lease ADD COLUMN run_told TEXT NOT NULL DEFAULT 'nothing';
  ALTER TABLE lease ADD COLUMN is_collected INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Of whom the guest is: a lease's client's, or the host's owner's own, told of to nobody.
  ALTER TABLE lease ADD COLUMN origin TEXT NOT NULL DEFAULT 'lease';
  -- Why it failed, in words, for whoever asks at the host.
  ALTER TABLE lease ADD COLUMN failure TEXT;

  -- Providers whose capacity codes count here: their keys, pinned by the host's owner.
  CREATE TABLE trusted_provider (
    provider_id TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    keys        TEXT NOT NULL,
    trusted_at  TEXT NOT NULL
  ) STRICT;
  `,
  CAPACITY_STEP,
  CAPACITY_PROVIDERS_STEP,
  CAPACITY_USED_UP_STEP,
  CAPACITY_RECEIPTS_STEP,
  LENT_STEP,
  LENT_SERVICE_STEP,
  CAPACITY_OVERDUE_STEP,
  CAPACITY_AHEAD_STEP,
];
