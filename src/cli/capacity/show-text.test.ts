import { expect, test } from "vitest";
import type { ShownCapacity } from "../../agent/capacity/show.ts";
import type { Context } from "../context.ts";
import { capacityText } from "./show-text.ts";

const HOUR = 3600n * 1_000_000_000_000n;
const account = {
  ...{ codeId: "code_01", providerId: "party_01", resource: "cpu", quantity: 1000 },
  ...{ resourceTime: `${2n * HOUR}`, debited: "0", left: `${2n * HOUR}` },
  ...{ validity: { start: "2027-01-31T00:00:00Z", end: "2027-03-01T00:00:00Z" }, isValid: true },
};

function shown(change: object): string {
  const capacity = {
    ...{ at: "2027-01-31T00:00:00Z", outlooks: [], services: [], shared: [], unreported: [] },
    ...{ warnings: [], accounts: [{ ...account, reserved: "0", lentAt: null, ...change }] },
  };
  const context = { stdout: { isTTY: false }, environment: {} } as unknown as Context;
  return capacityText(context, capacity as unknown as ShownCapacity);
}

test("what is reserved for leases is told beside what is left, and a lent code as one", () => {
  expect(shown({})).not.toMatch(/reserved|lent/);
  expect(shown({ reserved: `${HOUR}` })).toContain("2 core-hours, 60 core-minutes reserved");
  expect(shown({ lentAt: "2027-01-31T00:00:00Z" })).toContain("(lent)");
});
