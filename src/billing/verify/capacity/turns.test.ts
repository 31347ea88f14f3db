import fc from "fast-check";
import { expect, test } from "vitest";
import type { ActDetail } from "../../../enablement/capacity/act.ts";
import { issueCode } from "../../../enablement/capacity/issue-code.ts";
import { holdsOf } from "../../../rating/holds.ts";
import { inTurn } from "../../../rating/turns.ts";
import { generateKey } from "../../../signature/key.ts";
import { newId } from "../../../unit/id.ts";
import { isTimeToBill } from "../../capacity/basis.ts";
import { drawnCode } from "../../capacity/facts.ts";
import { Ledger } from "./ledger.sample.ts";
import { drawInTurn, placeOf } from "./turns.ts";

const START_MS = Date.parse("2027-01-31T08:00:00Z");
const SECOND = 1_000n * 1_000_000_000n;

const KEY = generateKey();
const PROVIDER = { id: newId("party"), name: "vendor" };
const CODES = [40_000, 60_000, 80_000].map((validSeconds, index) =>
  issueCode({
    ...{ codeId: newId("code"), provider: PROVIDER, customer: PROVIDER, requestId: null },
    sequence: index + 1,
    wanted: { hostId: newId("host"), resource: "cpu", quantity: 1000, forSeconds: 900 },
    terms: {
      ...{ priceMicrosPerHour: "1", overdraftPriceMicrosPerHour: "2", increment: "1" },
      ...{ unreturnedPriceMicrosPerHour: "3", rounding: "up", validSeconds },
      billingPeriod: { kind: "fixed", seconds: 86_400, anchor: "2026-01-01T00:00:00Z" },
      threshold: { kind: "allowance" },
      reporting: { reportAfterSeconds: 3600, reportLimit: "0", graceSeconds: 3600 },
      exhaustion: { policy: "stop-new", graceSeconds: 60, warnSeconds: 600 },
      returnMeans: ["ask"],
    },
    market: { currency: "EUR", minorUnitDigits: 2 },
    ...{ operatorFeePpm: 0, key: KEY, now: new Date(START_MS - 1000) },
  }),
);

const step = fc.record({
  kind: fc.constantFrom("use", "use", "use", "lend", "keep", "reserve", "free", "bill"),
  who: fc.nat(2),
  code: fc.nat(2),
  other: fc.nat(2),
  seconds: fc.integer({ min: 1, max: 400 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A host that draws, lends and reserves as it likes. */
function playedBy(steps: readonly Step[]) {
  const ledger = new Ledger(newId("host"), KEY, START_MS);
  for (const { code, jws } of CODES) ledger.accept(code, jws);
  const [first] = CODES;
  if (!first) throw new Error("there are codes");
  const meters = ["p1", "p2", "p3"].flatMap((name) =>
    ledger.begin(first.code, first.jws, [[name, null]]),
  );
  const codeAt = (index: number) => CODES[index]?.code.jti ?? first.code.jti;
  for (const { kind, who, code, other, seconds } of steps) {
    const meter = meters[who];
    if (!meter) throw new Error("there are meters");
    const { serviceId } = meter;
    const codeId = codeAt(code);
    const quantity = (BigInt(seconds) * SECOND).toString();
    const acts: Partial<Record<Step["kind"], ActDetail>> = {
      lend: { kind: "code-lent", codeId },
      keep: { kind: "code-kept", codeId },
      free: { kind: "resource-time-freed", serviceId },
      reserve: {
        ...{ kind: "resource-time-reserved", serviceId, leaseId: newId("lease") },
        codes: [{ codeId, quantity }],
      },
    };
    const act = acts[kind];
    if (act) ledger.act(act);
    else if (kind === "bill") ledger.timeToBill(PROVIDER.id, START_MS, "demand");
    else {
      const half = (BigInt(seconds) * SECOND) / 2n;
      const parts = [codeId, codeAt(other)].map((id) => ({ codeId: id, quantity: `${half}` }));
      const debits = code === other ? parts.slice(0, 1) : parts;
      ledger.use(meter, START_MS, seconds, {
        bend: (one) => ({
          ...one,
          ...(one.capacity ? { capacity: { ...one.capacity, debits } } : {}),
        }),
      });
    }
  }
  ledger.timeToBill(PROVIDER.id, START_MS, "demand");
  return { ledger, meters };
}

test("whatever a host draws, lends and reserves, the biller and the verifier let each record draw on the same", () => {
  let held = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 24 }), (steps) => {
      const { ledger, meters } = playedBy(steps);
      const { acts } = ledger;
      const known = meters.flatMap(({ records }) => records);
      const metered = ({ capacity }: (typeof known)[number]["record"]) =>
        BigInt(capacity?.meteredQuantity ?? 0);
      const named = acts.filter(isTimeToBill);
      const pieces = meters.flatMap(({ chainId, records }) =>
        records.map(({ record }) => {
          const by = named.find(({ record: { act } }) =>
            act.chains.some((one) => one.chainId === chainId && one.seq >= record.seq),
          );
          if (!by) throw new Error("all are named in the end");
          const { seq, at } = by.record;
          return { record, metered: metered(record), named: { seq, atMs: Date.parse(at) } };
        }),
      );
      const codes = CODES.map(({ code }) => drawnCode(code, START_MS));
      const claims = inTurn(pieces, known, codes, holdsOf(acts));
      const without = inTurn(pieces, known, codes, []);
      const counted = meters.flatMap((meter, index) =>
        meter.records.map(({ record }) => {
          const begun = { ...meter, actSeq: index, serviceSeq: index, codeId: meter.code.jti };
          const as = { ...begun, mode: "dedicated" as const, resource: "cpu" as const };
          return { meter: as, record, metered: metered(record) };
        }),
      );
      const evidence = {
        codes: new Map(CODES.map((one) => [one.code.jti as string, one])),
        acts,
        records: new Map(),
      };
      const books = { evidence, acts, known: known.map(({ record }) => record) };
      const drawn = drawInTurn(counted, books);
      for (const { record } of pieces) {
        const key = `${record.chainId} ${record.seq}`;
        const right = claims.get(key);
        const own = drawn.get(placeOf(record));
        const byCode = new Map(right?.debits.map((one) => [one.codeId, one.quantity]));
        expect([own?.byCode, own?.overdraft]).toEqual([byCode, right?.overdraft]);
        if (without.get(key)?.overdraft !== right?.overdraft) held += 1;
      }
    }),
    { numRuns: 300 },
  );
  expect(held, "records that found something held").toBeGreaterThan(20);
});
