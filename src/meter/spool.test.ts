import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalJson } from "../unit/canonical.ts";
import { chainOrigin, checkChain } from "./chain.ts";
import { SAMPLE_OPTIONS, SAMPLE_TERMS, sampleReading, sampleRecords } from "./metered.sample.ts";
import {
  type HashedRecord,
  type MeteredId,
  type UsageBatch,
  type UsageReceipt,
  usageBatchSchema,
} from "./record.ts";
import { beginChain, chainEnd, createSpool, takeReading } from "./spool.ts";
import {
  acknowledge,
  noteRefused,
  pendingBatches,
  pruneChain,
  RECORDS_PER_BATCH_MAX,
  unsentCount,
} from "./spool-batch.ts";
import { BackwardReadingError } from "./usage.ts";

const GRANT = "grant";
const { chainId, hostId } = SAMPLE_TERMS;
const OTHER_TERMS = { ...SAMPLE_TERMS, chainId: "lease_01k1111111111111111111" } as const;
const sign = (batch: UsageBatch): string => `signed ${canonicalJson(batch)}`;
const opened = (jws: string): UsageBatch =>
  usageBatchSchema.parse(JSON.parse(jws.replace("signed ", "")));

let directory: string;
let db: DatabaseSync;
function open(): DatabaseSync {
  const database = new DatabaseSync(join(directory, "agent.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  createSpool(database);
  return database;
}
/** What a crash leaves: a new process with what was committed. */
function reopen(): void {
  db.close();
  db = open();
}
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sublet-spool-"));
  db = open();
  beginChain(db, SAMPLE_TERMS, GRANT);
});
afterEach(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

const take = (second: number, final = false) =>
  takeReading(db, chainId, sampleReading(second), { ...SAMPLE_OPTIONS, final });
const receipt = (contiguousSeq: number, changed: Partial<UsageReceipt> = {}): UsageReceipt => ({
  iss: "server",
  aud: hostId,
  batchId: "batch_01k0000000000000000000",
  chainId,
  contiguousSeq,
  receivedAt: "2027-01-31T08:00:00Z",
  ...changed,
});
/** Every record in the batches that a server would have. */
const sentRecords = (): HashedRecord[] =>
  pendingBatches(db, sign, { limit: 100 })
    .filter((batch) => batch.chainId === chainId)
    .flatMap(({ jws }) => opened(jws).records);

describe("a chain", () => {
  test("begun twice with the same terms is one chain", () => {
    expect(beginChain(db, SAMPLE_TERMS, GRANT)).toEqual({ ok: true, existed: true });
    expect(beginChain(db, OTHER_TERMS, GRANT)).toEqual({ ok: true, existed: false });
  });

  test("begun again with other terms, or another grant, is refused and goes on as it was", () => {
    take(0);
    const other = { ...SAMPLE_TERMS, cpuMode: "shared" as const };
    for (const again of [beginChain(db, other, GRANT), beginChain(db, SAMPLE_TERMS, "another")]) {
      expect(again).toMatchObject({ ok: false, code: "chain-has-other-terms" });
    }
    expect(chainEnd(db, chainId)?.finalHash).toBe(chainOrigin(GRANT));
  });

  test("that was never begun takes no reading and has no end", () => {
    const unknown = takeReading(db, OTHER_TERMS.chainId, sampleReading(0), SAMPLE_OPTIONS);
    expect(unknown).toMatchObject({ ok: false, code: "unknown-chain" });
    expect(chainEnd(db, OTHER_TERMS.chainId)).toBeNull();
  });
});

describe("readings", () => {
  test("make the records that they make in memory, with a crash after each", () => {
    const seconds = [0, 10, 20, 30, 40, 50, 60, 70, 200, 210, 280, 290];
    for (const second of seconds) {
      take(second, second === 290);
      reopen();
    }
    expect(sentRecords()).toEqual(
      sampleRecords(
        GRANT,
        seconds.map((second) => sampleReading(second)),
      ),
    );
  });

  test("taken again after a crash add nothing", () => {
    for (const second of [0, 10, 10, 20, 20, 20]) take(second);
    take(20, true);
    const [only] = sentRecords();
    expect(only?.record).toMatchObject({ seq: 1, deliveredNs: "20000000000", final: true });
  });

  test("after the final one are refused; the final one again adds nothing", () => {
    take(0);
    const last = take(10, true);
    expect(last).toMatchObject({ ok: true, records: [{ record: { final: true } }] });
    const end = chainEnd(db, chainId);
    expect(take(20)).toMatchObject({ ok: false, code: "after-final" });
    expect(take(20, true)).toEqual({ ok: true, records: [] });
    expect(chainEnd(db, chainId)).toEqual(end);
    expect(end).toMatchObject({ closed: true, finalSeq: 1 });
  });

  test("that never came still leave a final record, of nothing", () => {
    expect(chainEnd(db, chainId)).toEqual({
      closed: false,
      finalSeq: 0,
      finalHash: chainOrigin(GRANT),
    });
    take(5, true);
    expect(sentRecords()).toMatchObject([{ record: { seq: 1, elapsedNs: "0", final: true } }]);
  });

  test("that go backwards throw by name and store nothing", () => {
    take(0);
    take(30);
    expect(() => take(20)).toThrow(BackwardReadingError);
    expect(db.isTransaction).toBe(false);
    take(40, true);
    expect(sentRecords()[0]?.record.elapsedNs).toBe("40000000000");
  });

  test("are part of a transaction of the caller's", () => {
    db.exec("BEGIN");
    take(0);
    take(10, true);
    db.exec("ROLLBACK");
    expect(chainEnd(db, chainId)).toMatchObject({ closed: false, finalSeq: 0 });
    expect(unsentCount(db)).toBe(0);
  });

  test.each(["INSERT ON spool_record", "UPDATE ON meter_chain"])(
    "that cannot be stored wholly (%s fails) are not stored at all",
    (event) => {
      take(0);
      const fail = "BEGIN SELECT RAISE(ABORT, 'full'); END";
      db.exec(`CREATE TRIGGER full BEFORE ${event} ${fail}`);
      expect(() => take(10, true)).toThrow(/full/);
      db.exec("DROP TRIGGER full");
      expect(chainEnd(db, chainId)).toMatchObject({ closed: false, finalSeq: 0 });
      expect(unsentCount(db)).toBe(0);
      expect(take(10, true)).toMatchObject({ ok: true, records: [{ record: { seq: 1 } }] });
    },
  );
});

describe("batches", () => {
  const meter = (from: number, to: number, final = false) => {
    for (let second = from; second <= to; second += 10) take(second, final && second === to);
  };

  test("are stored before they are returned, and come again unchanged after a crash", () => {
    meter(0, 120);
    const sent = pendingBatches(db, sign, { limit: 10 });
    reopen();
    const refuse = (): string => {
      throw new Error("signed twice");
    };
    expect(pendingBatches(db, refuse, { limit: 10 })).toEqual(sent);
    expect(sent).toHaveLength(1);
  });

  test("hold each record once, in order, and new records go into new batches", () => {
    meter(0, 120);
    const [first] = pendingBatches(db, sign, { limit: 10 });
    meter(130, 300, true);
    const batches = pendingBatches(db, sign, { limit: 10 });
    expect(batches[0]).toEqual(first);
    const records = batches.flatMap(({ jws }) => opened(jws).records);
    expect(records.map(({ record }) => record.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(checkChain(chainOrigin(GRANT), records)).toEqual({ ok: true });
    expect(records.at(-1)?.record.final).toBe(true);
  });

  test("hold the records of one chain", () => {
    beginChain(db, OTHER_TERMS, "other grant");
    meter(0, 60, true);
    takeReading(db, OTHER_TERMS.chainId, sampleReading(0), { ...SAMPLE_OPTIONS, final: true });
    const batches = pendingBatches(db, sign, { limit: 10 });
    expect(batches.map((batch) => batch.chainId)).toEqual([chainId, OTHER_TERMS.chainId]);
    for (const { chainId: chain, jws } of batches) {
      const { records } = opened(jws);
      expect(records.every(({ record }) => record.chainId === chain)).toBe(true);
    }
  });

  test("are not larger than fits, nor more than asked for", () => {
    const options = { ...SAMPLE_OPTIONS, recordEveryNs: 1n };
    for (let second = 0; second <= 2 * RECORDS_PER_BATCH_MAX + 5; second++) {
      takeReading(db, chainId, sampleReading(second), options);
    }
    expect(pendingBatches(db, sign, { limit: 2 })).toHaveLength(2);
    const sizes = pendingBatches(db, sign, { limit: 10 }).map(
      ({ jws }) => opened(jws).records.length,
    );
    expect(sizes).toEqual([RECORDS_PER_BATCH_MAX, RECORDS_PER_BATCH_MAX, 5]);
  });

  test("of a chain that is never taken keep nobody else's back", () => {
    const options = { ...SAMPLE_OPTIONS, recordEveryNs: 1n };
    for (let second = 0; second < 40; second++) {
      takeReading(db, chainId, sampleReading(second), options);
      pendingBatches(db, sign, { limit: 10 });
    }
    beginChain(db, OTHER_TERMS, "other grant");
    takeReading(db, OTHER_TERMS.chainId, sampleReading(0), { ...SAMPLE_OPTIONS, final: true });
    const batches = pendingBatches(db, sign, { limit: 5 });
    expect(batches.map((batch) => batch.chainId)).toContain(OTHER_TERMS.chainId);
    // Once they are taken, what had to wait follows.
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      for (const { batchId, jws } of pendingBatches(db, sign, { limit: 10 })) {
        const { chainId: chain, records } = opened(jws);
        sent += records.length;
        const contiguousSeq = records.at(-1)?.record.seq ?? 0;
        const about = { iss: "server", aud: SAMPLE_TERMS.hostId, batchId, chainId: chain };
        acknowledge(db, { ...about, contiguousSeq, receivedAt: "2027-01-31T09:00:00Z" });
      }
    }
    expect(sent).toBe(40);
  });

  test("that cannot be signed are not stored", () => {
    meter(0, 60, true);
    const fail = (): string => {
      throw new Error("no key");
    };
    expect(() => pendingBatches(db, fail, { limit: 1 })).toThrow("no key");
    expect(pendingBatches(db, sign, { limit: 1 })).toHaveLength(1);
  });

  test("stop coming when a receipt covers them, and not before", () => {
    meter(0, 180, true);
    const sent = pendingBatches(db, sign, { limit: 10 });
    expect(unsentCount(db)).toBe(3);
    expect(acknowledge(db, receipt(2))).toEqual({ ok: true, newlyAcknowledged: 2 });
    expect(unsentCount(db)).toBe(1);
    expect(pendingBatches(db, sign, { limit: 10 })).toEqual(sent);
    expect(acknowledge(db, receipt(3))).toEqual({ ok: true, newlyAcknowledged: 1 });
    expect(pendingBatches(db, sign, { limit: 10 })).toEqual([]);
    expect(acknowledge(db, receipt(3))).toEqual({ ok: true, newlyAcknowledged: 0 });
    expect(acknowledge(db, receipt(1))).toEqual({ ok: true, newlyAcknowledged: 0 });
    expect(unsentCount(db)).toBe(0);
  });

  test.each<[string, Partial<UsageReceipt>, string]>([
    ["of a lease unknown here", { chainId: OTHER_TERMS.chainId }, "unknown-chain"],
    ["of another host", { aud: "host_01k1111111111111111111" }, "wrong-host"],
    ["for more than was written", { contiguousSeq: 4 }, "receipt-ahead"],
  ])("a receipt %s is refused and changes nothing", (_name, changed, code) => {
    meter(0, 180, true);
    expect(acknowledge(db, receipt(3, changed))).toMatchObject({ ok: false, code });
    expect(unsentCount(db)).toBe(3);
  });

  test("of a chain whose batch is refused keep no other chain back", () => {
    beginChain(db, OTHER_TERMS, GRANT);
    const other = OTHER_TERMS.chainId;
    for (let second = 0; second < 1200; second += 60) {
      take(second);
      pendingBatches(db, sign, { limit: 3 });
    }
    takeReading(db, other, sampleReading(0), SAMPLE_OPTIONS);
    takeReading(db, other, sampleReading(60), { ...SAMPLE_OPTIONS, final: true });
    const pending = pendingBatches(db, sign, { limit: 2 });
    expect(pending.map((batch) => batch.chainId).toSorted()).toEqual([other, chainId].toSorted());
  });

  /** So many chains, each with one record to send; of leases, or of capacity. */
  const beginMany = (prefix: "lease" | "chain", count: number): readonly MeteredId[] =>
    Array.from({ length: count }, (_, index) => {
      const id = `${prefix}_01k1${String(index).padStart(18, "0")}` as MeteredId;
      beginChain(db, { ...SAMPLE_TERMS, chainId: id }, GRANT);
      takeReading(db, id, sampleReading(0), { ...SAMPLE_OPTIONS, final: true });
      return id;
    });
  const sentNow = (limit: number) => pendingBatches(db, sign, { limit }).map((one) => one.chainId);

  test("of leases go before those of capacity, however old these are", () => {
    beginMany("chain", 60);
    sentNow(50);
    const [lease] = beginMany("lease", 1);
    expect(sentNow(50)[0]).toBe(lease);
  });

  test.each(["chain", "lease"] as const)(
    "of a %s that are refused keep nobody else's back, however many they are",
    (prefix) => {
      const refused = beginMany(prefix, 60);
      for (const id of refused) expect(noteRefused(db, id)).toBe(true);
      expect(noteRefused(db, refused[0] ?? "")).toBe(false);
      beginChain(db, OTHER_TERMS, GRANT);
      takeReading(db, OTHER_TERMS.chainId, sampleReading(0), { ...SAMPLE_OPTIONS, final: true });
      expect(sentNow(50)[0]).toBe(OTHER_TERMS.chainId);
    },
  );

  test("that are refused take turns, and one that is taken is like any other again", () => {
    const all = beginMany("chain", 5);
    for (const id of all) noteRefused(db, id);
    const tried: MeteredId[] = [];
    for (let pass = 0; pass < 3; pass++) {
      const sent = sentNow(2);
      tried.push(...sent);
      for (const id of sent) noteRefused(db, id);
    }
    expect(new Set(tried)).toEqual(new Set(all));
    const [taken, other] = all;
    if (taken === undefined || other === undefined) throw new Error("there are five");
    acknowledge(db, receipt(0, { chainId: taken }));
    expect(sentNow(1)).toEqual([taken]);
  });

  test("of a closed chain are forgotten once the server has them, and not before", () => {
    take(0);
    take(60, true);
    const [batch] = pendingBatches(db, sign, { limit: 9 });
    pruneChain(db, chainId);
    expect(pendingBatches(db, sign, { limit: 9 })).toEqual([batch]);
    acknowledge(db, receipt(chainEnd(db, chainId)?.finalSeq ?? 0));
    const end = chainEnd(db, chainId);
    pruneChain(db, chainId);
    expect(chainEnd(db, chainId)).toEqual(end);
    expect(db.prepare("SELECT count(*) AS count FROM spool_record").get()).toEqual({ count: 0 });
    expect(unsentCount(db, chainId)).toBe(0);
  });
});
