import { expect, test } from "vitest";
import { importPublicKey, type PublicJwk } from "../../../signature/key.ts";
import { usageExportSchema } from "../../export.ts";
import { verifyBill } from "../verify-bill.ts";
import { capacityExport, STRANGER } from "./export.sample.ts";
import { CAPACITY_MUTATIONS } from "./mutations.sample.ts";
import { PAUSE_MUTATIONS } from "./pauses.sample.ts";

const ALL = [...CAPACITY_MUTATIONS, ...PAUSE_MUTATIONS];

test("the sample of capacity is honest before it is bent", () => {
  const { verified, findings, bills } = verifyBill(capacityExport());
  expect(findings.filter(({ severity }) => severity === "differs")).toEqual([]);
  expect(verified).toBe(true);
  expect(bills.map(({ kind }) => kind)).toEqual(["capacity", "capacity"]);
});

test("keys that the export brings itself are told, and a provider's card that was got elsewhere counts alone", () => {
  const exported = capacityExport();
  const { capacity } = usageExportSchema.parse(exported);
  const [own] = capacity ?? [];
  if (!own) throw new Error("no capacity");
  const codesOf = (keys?: readonly PublicJwk[]) =>
    verifyBill(
      exported,
      keys === undefined ? {} : { trustedProviderKeys: new Map([[own.providerId, keys]]) },
    ).findings.map(({ code }) => code);
  expect(codesOf()).toContain("provider-keys-unpinned");
  expect(codesOf()).toContain("host-keys-unpinned");
  const right = codesOf(own.providerKeys.map(importPublicKey));
  expect(right).not.toContain("provider-keys-unpinned");
  expect(right).not.toContain("code-unknown-key");
  expect(codesOf([STRANGER.publicJwk])).toContain("code-unknown-key");
});

test.each(ALL)("of a capacity bill, %s is found", (_name, bend, code) => {
  const { verified, findings } = verifyBill(capacityExport(bend));
  expect(findings.map((finding) => finding.code)).toContain(code);
  expect(verified).toBe(false);
});

test("seventy exports of capacity are mutilated, each in its own way", () => {
  const names = ALL.map(([name]) => name);
  expect(names.length).toBeGreaterThan(70);
  expect(new Set(names).size).toBe(names.length);
});
