import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grantSchema } from "../../enablement/grant.ts";
import { sampleReading } from "../../meter/metered.sample.ts";
import { verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import { anyReadings } from "../bill.sample.ts";
import { usageExportSchema } from "../export.ts";
import { AGENT_KEY, removalJws, SERVER_KEY, STRANGER_KEY, sampleExport } from "./export.sample.ts";
import { monthsExport } from "./months.sample.ts";
import { verifyBill } from "./verify-bill.ts";

const only = (exported: unknown) => {
  const [lease] = usageExportSchema.parse(exported).leases;
  const bill = lease?.bills[0]?.bill;
  if (!lease || !bill) throw new Error("there is a lease with a bill");
  return { lease, bill };
};
const codes = (exported: unknown, options = {}) =>
  verifyBill(exported, options).findings.map(({ code }) => code);
const pinned = { trustedServerKeys: [SERVER_KEY.publicJwk] };

test("an honest bill is verified, and what cannot be proved is said", () => {
  const verification = verifyBill(sampleExport());
  expect(verification.verified).toBe(true);
  expect(verification.findings.map(({ code, severity }) => [code, severity])).toEqual([
    ["lender-truth", "cannot-prove"],
    ["bill-parties", "cannot-prove"],
    ["server-keys-unpinned", "cannot-prove"],
    ["causes", "cannot-prove"],
  ]);
  expect(verification.checked.length).toBeGreaterThanOrEqual(7);
  expect(verification.totalMicros).toBe("10000");
});

test("an honest bill survives being written to a file and read", () => {
  expect(verifyBill(JSON.parse(JSON.stringify(sampleExport()))).verified).toBe(true);
});

test("with the server's keys pinned, they need not be taken on trust", () => {
  const verification = verifyBill(sampleExport(), pinned);
  expect(verification.verified).toBe(true);
  expect(verification.findings.map(({ code }) => code)).toEqual([
    "lender-truth",
    "bill-parties",
    "causes",
  ]);
  expect(verification.checked).toContain("the server's keys are among those that you pinned");
});

test("a whole export forged with keys of its own passes only while nothing is pinned", () => {
  const forged = sampleExport({
    grantKey: STRANGER_KEY,
    sealKey: STRANGER_KEY,
    exported: (good) => ({ ...good, serverKeys: [STRANGER_KEY.publicJwk] }),
  });
  expect(verifyBill(forged).verified).toBe(true);
  expect(codes(forged)).toContain("server-keys-unpinned");
  expect(verifyBill(forged, pinned).verified).toBe(false);
  expect(codes(forged, pinned)).toEqual(
    expect.arrayContaining(["grant-unknown-key", "seal-unknown-key"]),
  );
  expect(verifyBill(forged, { trustedServerKeys: [] }).verified).toBe(false);
});

describe("honest bills of other kinds", () => {
  test("a lease that was never delivered has no records, and its host signed that", () => {
    const unused = sampleExport({ records: () => [] });
    expect(verifyBill(unused, pinned)).toMatchObject({ verified: true, totalMicros: "0" });
    const bent = sampleExport({ records: () => [], wipeKey: STRANGER_KEY });
    expect(codes(bent, pinned)).toContain("final-missing");
  });
  test("a lease that ended before its host read the grant was never run, and its host signed that", () => {
    const never = (change: object = {}) =>
      sampleExport({
        records: () => [],
        wipeReceipt: (receipt) => ({
          ...receipt,
          grantJti: null,
          finalHash: sha256Hex(receipt.leaseId),
          ...change,
        }),
      });
    expect(verifyBill(never(), pinned)).toMatchObject({ verified: true, totalMicros: "0" });
    expect(codes(never({ finalHash: sha256Hex("another") }), pinned)).toContain(
      "wipe-receipt-hash-differs",
    );
    expect(codes(never({ finalSeq: 1 }), pinned)).toEqual(
      expect.arrayContaining(["wipe-receipt-other-grant", "wipe-receipt-seq-differs"]),
    );
  });
  const gone = { processId: null, cpuNs: 0n, answered: false };
  test("nothing was ever granted, nothing is charged", () => {
    const never = sampleExport({
      records: () => [],
      wipedAt: null,
      exported: (good) => ({
        ...good,
        grantJws: null,
        wipeReceiptJws: null,
        usageBatches: [],
        agentKey: null,
      }),
    });
    expect(verifyBill(never).verified).toBe(true);
    expect(codes(never)).toContain("nothing-granted");
  });

  test("it began late, for its predecessor was not wiped", () => {
    const readings = Array.from({ length: 37 }, (_, index) => sampleReading(400 + index * 10));
    const late = sampleExport({ readings });
    expect(verifyBill(late)).toMatchObject({ verified: true });
    expect(only(late).bill.lines.at(-1)).toMatchObject({ quantity: "400000000000" });
    const charged = sampleExport({
      readings,
      grant: (grant) => ({
        ...grant,
        period: { ...grant.period, start: "2027-01-31T07:59:00Z" },
      }),
      bill: (bill) => ({ ...bill, lines: bill.lines.slice(0, -1) }),
    });
    expect(codes(charged)).toContain("line-missing");
  });

  test("granted, and never metered at all", () => {
    const exported = sampleExport({ records: () => [] });
    expect(verifyBill(exported)).toMatchObject({ verified: true, totalMicros: "0" });
    const { bill } = only(exported);
    expect(bill.lines.at(-1)).toMatchObject({ rule: "not-delivered", quantity: "365000000000" });
  });

  test("granted, and nothing ran", () => {
    const exported = sampleExport({ readings: [sampleReading(5, gone)] });
    expect(verifyBill(exported)).toMatchObject({ verified: true, totalMicros: "0" });
  });

  test("the host restarted in the middle", () => {
    const after = { bootId: "boot-b", processId: "1:1" };
    const readings = [
      ...[0, 10, 20].map((second) => sampleReading(second)),
      ...[300, 310, 320].map((second) => sampleReading(second, after)),
    ];
    expect(verifyBill(sampleExport({ readings })).verified).toBe(true);
  });

  test("the lease was extended, and the longer time was used", () => {
    const shortFirst = (end: string) => ({
      grant: (
        grant: Parameters<NonNullable<Parameters<typeof sampleExport>[0]>["grant"] & {}>[0],
      ) => ({
        ...grant,
        period: { ...grant.period, end },
      }),
    });
    const extended = sampleExport({
      ...shortFirst("2027-01-31T08:03:00Z"),
      extensions: (first) => [
        {
          ...first,
          jti: "grant-0002",
          sequence: 2,
          period: { ...first.period, end: "2027-01-31T10:00:00Z" },
        },
      ],
    });
    expect(verifyBill(extended)).toMatchObject({ verified: true });
    const withoutProof = sampleExport(shortFirst("2027-01-31T08:03:00Z"));
    expect(codes(withoutProof)).toContain("line-quantity-differs");
    const capped = sampleExport({
      ...shortFirst("2027-01-31T08:03:00Z"),
      grantedNs: 180_000_000_000n,
    });
    expect(verifyBill(capped)).toMatchObject({ verified: true });
  });

  test("the wipe receipt is not there yet: said, and nothing differs", () => {
    const exported = sampleExport({ exported: (good) => ({ ...good, wipeReceiptJws: null }) });
    expect(verifyBill(exported).verified).toBe(true);
    expect(codes(exported)).toContain("wipe-receipt-missing");
  });

  test("closed at the deadline without the final record: said, and nothing differs", () => {
    const shown = 3;
    const late = sampleExport({
      records: (records) => records.slice(0, shown),
      bill: (bill) => ({
        ...{ ...bill, incomplete: true, estimated: false },
        evidence: { ...bill.evidence, missing: [{ fromSeq: shown + 1, toSeq: shown + 2 }] },
      }),
      wipeReceipt: (receipt) => ({ ...receipt, finalSeq: shown + 2, finalHash: "e".repeat(64) }),
    });
    expect(verifyBill(late).verified).toBe(true);
    expect(codes(late)).toContain("bill-incomplete");
    const unsaid = sampleExport({ records: (records) => records.slice(0, shown) });
    expect(codes(unsaid)).toContain("final-missing");
  });

  test("the lender declared the host dead: that the wipe is not proved is said", () => {
    const dead = sampleExport({
      records: (records) => records.slice(0, 2),
      bill: (bill) => ({
        ...{ ...bill, incomplete: true, estimated: false },
        evidence: { ...bill.evidence, missing: [{ fromSeq: 3, toSeq: null }] },
      }),
      exported: (good) => ({ ...good, wipeReceiptJws: null, removalJws: removalJws() }),
    });
    expect(verifyBill(dead).verified).toBe(true);
    expect(codes(dead)).toEqual(expect.arrayContaining(["bill-incomplete", "host-removed"]));
    expect(codes(dead)).not.toContain("wipe-receipt-missing");
  });

  test("a batch that was sent twice counts once", () => {
    const exported = sampleExport({
      exported: (good) => ({ ...good, usageBatches: [...good.usageBatches, ...good.usageBatches] }),
    });
    expect(verifyBill(exported).verified).toBe(true);
  });
});

const anyCpuMode = fc.constantFrom("dedicated", "shared");

test("whatever is metered, the biller and the verifier come to the same", () => {
  fc.assert(
    fc.property(
      anyReadings,
      fc.nat({ max: 10_000 }),
      anyCpuMode,
      (readings, grantedSeconds, cpuMode) => {
        const end = new Date(Date.parse("2027-01-31T08:00:00Z") + grantedSeconds * 1000);
        const exported = sampleExport({
          ...{ readings, cpuMode },
          grant: (grant) => ({ ...grant, period: { ...grant.period, end: end.toISOString() } }),
          grantedNs: BigInt(grantedSeconds) * 1_000_000_000n,
        });
        expect(
          verifyBill(exported).findings.filter(({ severity }) => severity === "differs"),
        ).toEqual([]);
      },
    ),
  );
});

test("whatever was known at the edges and at the end, the bills of a lease are verified, and cost the same", () => {
  const all = 124;
  const known = fc
    .tuple(fc.nat({ max: all }), fc.nat({ max: all }), fc.nat({ max: all }))
    .map((counts) => counts.toSorted((a, b) => a - b) as [number, number, number]);
  const totals = new Set<string | null>();
  fc.assert(
    fc.property(known, (counts) => {
      const { findings, totalMicros } = verifyBill(monthsExport({ known: counts }));
      expect(findings.filter(({ severity }) => severity === "differs")).toEqual([]);
      totals.add(totalMicros);
    }),
    { numRuns: 40 },
  );
  expect([...totals]).toEqual(["50570000"]);
});

test("what is no export at all is refused without throwing", () => {
  for (const nothing of [undefined, null, 1, "", [], {}, { version: 2 }]) {
    expect(verifyBill(nothing)).toMatchObject({ verified: false, totalMicros: null });
    expect(codes(nothing)).toContain("export-malformed");
  }
});

test("another character, or one less or more, anywhere in a grant is refused", () => {
  const { grantJws } = only(sampleExport()).lease;
  const jws = grantJws ?? "";
  const keys = keyRing([SERVER_KEY.publicJwk]);
  const accepted = (text: string) =>
    verify({ jws: text, typ: "sublet-grant", keys, schema: grantSchema }).ok;
  expect(accepted(jws)).toBe(true);
  for (let at = 0; at < jws.length; at++) {
    const [before, was, after] = [jws.slice(0, at), jws.charAt(at), jws.slice(at + 1)];
    for (const other of ["", "A", "B", "_", "=", "+", `${was}A`, `${was}\n`]) {
      if (other !== was && accepted(before + other + after)) {
        expect.fail(`${JSON.stringify(other)} at ${at} was accepted`);
      }
    }
  }
}, 30_000);

test("the host's and the server's keys are told apart", () => {
  const swapped = sampleExport({ grantKey: AGENT_KEY, sealKey: AGENT_KEY });
  expect(codes(swapped)).toEqual(expect.arrayContaining(["grant-unknown-key", "seal-unknown-key"]));
});
