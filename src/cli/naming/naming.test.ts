import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LeaseId } from "../../unit/id.ts";
import { newId } from "../../unit/id.ts";
import { chooseId, readBeginning } from "./resolve-id.ts";
import { shortenIds } from "./short-id.ts";
import { distance, similar } from "./similar.ts";

const anyId = fc
  .integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 })
  .map((ms) => newId("lease", ms));

describe("an id", () => {
  test("is found by whatever a table shows of it, among all that the table has", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyId, { minLength: 1, maxLength: 8 }), (ids) => {
        for (const [index, shown] of shortenIds(ids).entries()) {
          expect(chooseId("lease", readBeginning("lease", shown), ids)).toBe(ids[index]);
        }
      }),
    );
  });

  test("is taken with its prefix or without, as far as it is unique", () => {
    const ids: LeaseId[] = [`lease_01k3x${"0".repeat(17)}`, `lease_01k4x${"0".repeat(17)}`];
    for (const typed of ["lease_01k3x", "01k3", "lease_01k3"]) {
      expect(chooseId("lease", readBeginning("lease", typed), ids)).toBe(ids[0]);
    }
  });

  test("that is short for several names them all and takes none", () => {
    const ids: LeaseId[] = [`lease_01k3x${"0".repeat(17)}`, `lease_01k3y${"0".repeat(17)}`];
    expect(() => chooseId("lease", "lease_01k3", ids)).toThrow(
      `2 leases begin with lease_01k3: ${ids.join(", ")}; type more of the one that you mean`,
    );
    expect(() => chooseId("lease", "lease_01k5", ids)).toThrow("`sublet lease list` shows which");
  });

  test.each(["", "lease_", "01k", "bill_01k3x", "01k3x!", "LEASE_01K3", "lease_01k3l"])(
    "cannot begin with %j",
    (typed) => {
      expect(() => readBeginning("lease", typed)).toThrow("copy at least 4 characters of it");
    },
  );
});

test("only cells that are whole ids of a kind that may be typed short are shortened", () => {
  const lease = newId("lease", 1_800_000_000_000);
  const host = newId("host", 1_800_000_000_000);
  const cells = [lease, host, `${lease}, ${lease}`, "-"];
  expect(shortenIds(cells)).toEqual([lease.slice(0, "lease_".length + 10), ...cells.slice(1)]);
});

describe("what was meant", () => {
  test("is a slip of the hand away: a letter more, less, another, or two swapped", () => {
    const names = ["attic", "study", "attic2", "cellar"];
    expect(similar("atick", names)).toEqual(["attic", "attic2"]);
    expect(similar("atitc", names)).toEqual(["attic", "attic2"]);
    expect(similar("Celar", names)).toEqual(["cellar"]);
    expect(similar("kitchen", names)).toEqual([]);
  });

  test("each slip counts one, and both ways the same", () => {
    expect(distance("attic", "attic")).toBe(0);
    expect(distance("attic", "atic")).toBe(1);
    expect(distance("attic", "attica")).toBe(1);
    expect(distance("attic", "artic")).toBe(1);
    expect(distance("attic", "attci")).toBe(1);
    expect(distance("", "abc")).toBe(3);
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(distance(a, b)).toBe(distance(b, a));
        expect(distance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});
