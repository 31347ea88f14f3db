import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { canonicalJson } from "../unit/canonical.ts";
import { cpuModeSchema, idSchema, sizeSchema } from "../unit/schema.ts";
import { type AdvanceOptions, advance, type ChainState } from "./advance.ts";
import { advanceCapacity, type CapacityAdvance } from "./advance-capacity.ts";
import { chainOrigin } from "./chain.ts";
import { type ChainTerms, intervalSchema, intervalToJson } from "./interval.ts";
import { type Reading, readingSchema, readingToJson } from "./reading.ts";
import { type HashedRecord, type MeteredId, meteredIdSchema } from "./record.ts";
import { inTransaction } from "./transaction.ts";

/**
 * The agent's durable state for metering, in the agent's own SQLite file. Whoever opens the file
 * sets `journal_mode = WAL` and `synchronous = FULL`: what is written here is the lender's income.
 */
export function createSpool(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE IF NOT EXISTS meter_chain (
      chain_id      TEXT PRIMARY KEY,
      host_id       TEXT NOT NULL,
      partition_id  TEXT NOT NULL,
      cpu_mode      TEXT NOT NULL,
      size          TEXT NOT NULL,
      origin        TEXT NOT NULL,
      last_seq      INTEGER NOT NULL,
      last_hash     TEXT NOT NULL,
      open_interval TEXT,
      last_reading  TEXT,
      closed        INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE IF NOT EXISTS spool_record (
      chain_id TEXT NOT NULL REFERENCES meter_chain,
      seq      INTEGER NOT NULL,
      hash     TEXT NOT NULL,
      record   TEXT NOT NULL,
      acked    INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (chain_id, seq)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS spool_record_unacked ON spool_record (chain_id, seq) WHERE acked = 0;
    CREATE TABLE IF NOT EXISTS spool_batch (
      position  INTEGER PRIMARY KEY,
      batch_id  TEXT NOT NULL UNIQUE,
      chain_id  TEXT NOT NULL REFERENCES meter_chain,
      first_seq INTEGER NOT NULL,
      last_seq  INTEGER NOT NULL,
      jws       TEXT NOT NULL,
      acked     INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX IF NOT EXISTS spool_batch_of_chain ON spool_batch (chain_id, last_seq);
    -- Chains whose last batch was refused: the one of the lowest turn was refused longest ago.
    CREATE TABLE IF NOT EXISTS spool_refused (
      chain_id TEXT PRIMARY KEY REFERENCES meter_chain,
      turn     INTEGER NOT NULL
    ) STRICT;
  `);
}

export type Begun =
  | { readonly ok: true; readonly existed: boolean }
  | { readonly ok: false; readonly code: "chain-has-other-terms"; readonly message: string };

/**
 * Once per lease, before the first reading; again, with the same terms, it changes nothing.
 * `grantJws` is the lease's *first* grant: an extension goes on in the same chain.
 */
export function beginChain(db: DatabaseSync, terms: ChainTerms, grantJws: string): Begun {
  const origin = chainOrigin(grantJws);
  return inTransaction(db, () => {
    const existing = readChain(db, terms.chainId);
    if (existing === null) {
      db.prepare(
        `INSERT INTO meter_chain
           (chain_id, host_id, partition_id, cpu_mode, size, origin, last_seq, last_hash)
         VALUES (?, ?, ?, ?, ?, ?, 0, ?)`,
      ).run(
        terms.chainId,
        terms.hostId,
        terms.partitionId,
        terms.cpuMode,
        canonicalJson(terms.size),
        origin,
        origin,
      );
      return { ok: true, existed: false };
    }
    if (
      existing.origin === origin &&
      canonicalJson(existing.state.terms) === canonicalJson(terms)
    ) {
      return { ok: true, existed: true };
    }
    const message = `the metering of ${terms.chainId} has begun under another grant or other terms`;
    return { ok: false, code: "chain-has-other-terms", message };
  });
}

export type Taken =
  | { readonly ok: true; readonly records: readonly HashedRecord[] }
  | {
      readonly ok: false;
      readonly code: "unknown-chain" | "after-final";
      readonly message: string;
    };

/**
 * One transaction: the reading and the records that it completes are stored together, or neither.
 * A final reading of a chain that has its final record adds nothing; any other is refused. Throws
 * `BackwardReadingError`, with nothing stored; a reading with `processId` null can never be
 * refused for its cpu counter, so that a stopped guest's chain can always be closed.
 */
export function takeReading(
  db: DatabaseSync,
  chainId: MeteredId,
  reading: Reading,
  options: AdvanceOptions,
): Taken {
  return take(db, chainId, options.final === true, (state) => advance(state, reading, options));
}

/** The same for a chain of enabled capacity; what `describe` stores belongs to the transaction. */
export function takeCapacityReading(
  db: DatabaseSync,
  chainId: MeteredId,
  reading: Reading,
  options: CapacityAdvance,
): Taken {
  const final = options.final === true;
  return take(db, chainId, final, (state) => advanceCapacity(state, reading, options));
}

function take(
  db: DatabaseSync,
  chainId: MeteredId,
  final: boolean,
  step: (state: ChainState) => ReturnType<typeof advance>,
): Taken {
  return inTransaction(db, () => {
    const chain = readChain(db, chainId);
    if (chain === null) {
      return { ok: false, code: "unknown-chain", message: `${chainId} is not metered here` };
    }
    if (chain.state.closed) {
      if (final) return { ok: true, records: [] };
      return { ok: false, code: "after-final", message: `${chainId} has its final record` };
    }
    const { state, records } = step(chain.state);
    for (const hashed of records) insertRecord(db, hashed);
    writeState(db, state);
    return { ok: true, records };
  });
}

/** The last reading that a chain took; null when it has taken none, or is not there. */
export function lastReadingOf(db: DatabaseSync, chainId: MeteredId): Reading | null {
  return readChain(db, chainId)?.state.lastReading ?? null;
}

export interface ChainEnd {
  readonly closed: boolean;
  /** Number and hash of the last record; 0 and the chain's origin when there is none. */
  readonly finalSeq: number;
  readonly finalHash: string;
}

/** Null when the lease is not metered here. */
export function chainEnd(db: DatabaseSync, chainId: MeteredId): ChainEnd | null {
  const chain = readChain(db, chainId);
  if (chain === null) return null;
  const { closed, lastSeq, lastHash } = chain.state;
  return { closed, finalSeq: lastSeq, finalHash: lastHash };
}

const chainRow = z.object({
  chain_id: meteredIdSchema,
  host_id: idSchema("host"),
  partition_id: idSchema("partition"),
  cpu_mode: cpuModeSchema,
  size: z.string().transform((text) => sizeSchema.parse(JSON.parse(text))),
  origin: z.string(),
  last_seq: z.number().int(),
  last_hash: z.string(),
  open_interval: z.string().nullable(),
  last_reading: z.string().nullable(),
  closed: z.number().int(),
});

function readChain(
  db: DatabaseSync,
  chainId: string,
): { readonly origin: string; readonly state: ChainState } | null {
  const found = db.prepare("SELECT * FROM meter_chain WHERE chain_id = ?").get(chainId);
  if (found === undefined) return null;
  const row = chainRow.parse(found);
  const terms: ChainTerms = {
    chainId: row.chain_id,
    hostId: row.host_id,
    partitionId: row.partition_id,
    cpuMode: row.cpu_mode,
    size: row.size,
  };
  const state: ChainState = {
    terms,
    lastSeq: row.last_seq,
    lastHash: row.last_hash,
    open: row.open_interval === null ? null : intervalSchema.parse(JSON.parse(row.open_interval)),
    lastReading:
      row.last_reading === null ? null : readingSchema.parse(JSON.parse(row.last_reading)),
    closed: row.closed === 1,
  };
  return { origin: row.origin, state };
}

function insertRecord(db: DatabaseSync, { record, hash }: HashedRecord): void {
  db.prepare("INSERT INTO spool_record (chain_id, seq, hash, record) VALUES (?, ?, ?, ?)").run(
    record.chainId,
    record.seq,
    hash,
    canonicalJson(record),
  );
}

function writeState(db: DatabaseSync, state: ChainState): void {
  db.prepare(
    `UPDATE meter_chain
        SET last_seq = ?, last_hash = ?, open_interval = ?, last_reading = ?, closed = ?
      WHERE chain_id = ?`,
  ).run(
    state.lastSeq,
    state.lastHash,
    state.open === null ? null : canonicalJson(intervalToJson(state.open)),
    state.lastReading === null ? null : canonicalJson(readingToJson(state.lastReading)),
    state.closed ? 1 : 0,
    state.terms.chainId,
  );
}
