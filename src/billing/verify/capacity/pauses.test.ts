import { expect, test } from "vitest";
import type { Act } from "../../../enablement/capacity/act.ts";
import { newId } from "../../../unit/id.ts";
import { verifyBill } from "../verify-bill.ts";
import { capacityExport } from "./export.sample.ts";

/** What the verifier finds when the act that resumes the sample's service says something else. */
function findingsOf(change: (act: Act) => Partial<Act>) {
  const bend = (one: Act) =>
    one.act.kind === "service-resumed" ? { ...one, ...change(one) } : one;
  const { verified, findings } = verifyBill(capacityExport({ act: bend }));
  return { verified, codes: findings.map(({ code }) => code) };
}

test("a record that counts while the host said that its timer stood still is found", () => {
  const { verified, codes } = findingsOf(() => ({ monotonicNs: "9".repeat(20) }));
  expect(codes).toContain("record-in-pause");
  expect(verified).toBe(false);
});

test("a service that is resumed and was not paused is found", () => {
  const { verified, codes } = findingsOf(({ act }) => ({
    act: { ...act, serviceId: newId("service") } as Act["act"],
  }));
  expect(codes).toContain("pause-out-of-turn");
  expect(verified).toBe(false);
});
