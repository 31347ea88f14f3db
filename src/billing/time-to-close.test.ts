import { expect, test } from "vitest";
import { type ClosingFacts, RECORDS_DEADLINE_HOURS, timeToClose } from "./time-to-close.ts";

const ENDED_AT = new Date("2027-01-31T10:00:00Z");
const after = (hours: number) => new Date(ENDED_AT.getTime() + hours * 3_600_000);
const facts = (change: Partial<ClosingFacts> = {}): ClosingFacts => ({
  ...{ usageSeqFinal: 5n, isHostRemoved: false, endedAt: ENDED_AT },
  ...{ contiguousSeq: 3, hasFinal: false },
  ...change,
});

test("a bill closes on the final record, and waits for it until the deadline", () => {
  expect(timeToClose(facts({ contiguousSeq: 5, hasFinal: true }), after(0))).toBe("complete");
  expect(timeToClose(facts(), after(RECORDS_DEADLINE_HOURS - 0.001))).toBe("wait");
  expect(timeToClose(facts(), after(RECORDS_DEADLINE_HOURS))).toBe("incomplete");
  expect(timeToClose(facts({ usageSeqFinal: 0n, contiguousSeq: 0 }), after(0))).toBe("complete");
});

test("records of a host that was removed are not waited for", () => {
  const removed = { isHostRemoved: true, usageSeqFinal: null };
  expect(timeToClose(facts(removed), after(0))).toBe("incomplete");
  expect(timeToClose(facts({ ...removed, hasFinal: true }), after(0))).toBe("complete");
});
