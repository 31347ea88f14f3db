import { expect, test } from "vitest";
import type { ActDetail } from "../../../enablement/capacity/act.ts";
import { issueCode } from "../../../enablement/capacity/issue-code.ts";
import { generateKey } from "../../../signature/key.ts";
import { newId } from "../../../unit/id.ts";
import { Report } from "../report.ts";
import { Ledger } from "./ledger.sample.ts";
import { checkCorrected, drawInTurn } from "./turns.ts";

const START_MS = Date.parse("2027-01-31T08:00:00Z");
const SECOND_NS = 1_000_000_000n;

/** The owner's meter, and a lease's; the code that expires first, and one that lasts. */
function world() {
  const ledger = new Ledger(newId("host"), generateKey(), START_MS);
  const key = generateKey();
  const provider = { id: newId("party"), name: "vendor" };
  const issue = (sequence: number, validSeconds: number) =>
    issueCode({
      ...{ codeId: newId("code"), provider, customer: { ...provider }, requestId: null, sequence },
      wanted: { hostId: ledger.hostId, resource: "cpu", quantity: 1000, forSeconds: 3600 },
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
      ...{ operatorFeePpm: 0, key, now: new Date(START_MS - 1000) },
    });
  const early = issue(1, 40_000);
  const late = issue(2, 80_000);
  for (const { code, jws } of [early, late]) ledger.accept(code, jws);
  const [owner] = ledger.begin(late.code, late.jws, [["own", null]]);
  const [lease] = ledger.begin(early.code, early.jws, [["leased", null]]);
  if (!owner || !lease) throw new Error("a service has a meter");
  const codes = new Map([early, late].map((one) => [one.code.jti as string, one]));
  const findings = () => {
    const report = new Report();
    ledger.timeToBill(provider.id, START_MS, "demand");
    const evidence = { codes, acts: ledger.acts, records: new Map() };
    const counted = [owner, lease].flatMap((meter, actSeq) => {
      const known = { ...meter, actSeq, serviceSeq: actSeq, codeId: meter.code.jti };
      const as = { ...known, mode: "dedicated" as const, resource: "cpu" as const };
      return meter.records.map(({ record }) => ({
        ...{ meter: as, record, metered: BigInt(record.capacity?.meteredQuantity ?? 0) },
      }));
    });
    const books = { evidence, acts: ledger.acts, known: counted.map(({ record }) => record) };
    checkCorrected(
      {},
      counted,
      { drawn: drawInTurn(counted, books), acts: ledger.acts, where: "bill" },
      report,
    );
    return report.findings.map(({ code }) => code);
  };
  /** As a host that draws on nothing of the code that expires first. */
  const keep = (isKept: boolean) => {
    const [first] = ledger.accounts;
    if (!first) throw new Error("it was accepted");
    ledger.accounts[0] = { ...first, reserved: isKept ? first.resourceTime : 0n };
  };
  const quantity = (1000n * 3600n * SECOND_NS).toString();
  const reserved: ActDetail = {
    ...{ kind: "resource-time-reserved", serviceId: lease.serviceId, leaseId: newId("lease") },
    codes: [{ codeId: early.code.jti, quantity }],
  };
  const freed: ActDetail = { kind: "resource-time-freed", serviceId: lease.serviceId };
  return { ledger, owner, lease, early: early.code.jti, findings, keep, reserved, freed };
}

test("a code that is passed over without a word is found, and one that is reserved for a lease is not", () => {
  for (const isSaid of [false, true]) {
    const { ledger, owner, findings, keep, reserved } = world();
    if (isSaid) ledger.act(reserved);
    keep(true);
    ledger.use(owner, START_MS, 300);
    expect(findings()).toEqual(isSaid ? [] : ["draw-order-differs"]);
  }
});

test("once it is freed, or kept again, it is to be drawn on first", () => {
  for (const end of ["resource-time-freed", "code-kept"]) {
    const { ledger, owner, early, findings, keep, reserved, freed } = world();
    ledger.act(end === "code-kept" ? { kind: "code-lent", codeId: early } : reserved);
    keep(true);
    ledger.use(owner, START_MS, 300);
    expect(findings()).toEqual([]);
    ledger.act(end === "code-kept" ? { kind: "code-kept", codeId: early } : freed);
    // The record that begins at that instant may have been drawn before it; the next may not.
    ledger.use(owner, START_MS, 300);
    expect(findings()).toEqual([]);
    ledger.use(owner, START_MS, 300);
    expect(findings()).toEqual(["draw-order-differs"]);
  }
});

test("a lease's service draws on what is reserved for it, and nobody else on what is lent", () => {
  const { ledger, owner, lease, early, findings, reserved } = world();
  ledger.act({ kind: "code-lent", codeId: early });
  ledger.act(reserved);
  ledger.use(lease, START_MS, 300);
  expect(findings()).toEqual([]);
  ledger.use(owner, START_MS, 300);
  expect(findings()).toEqual(["draw-of-lent"]);
});
