import fc from "fast-check";
import { expect, test } from "vitest";
import { newClaimNumber, readClaimNumber } from "./claim-number.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

test("a claim number is read as it was made, however it is typed", () => {
  for (let i = 0; i < 200; i++) {
    const number = newClaimNumber();
    expect(readClaimNumber(number)).toEqual({ ok: true, number });
    const sloppy = ` ${number.toLowerCase().replaceAll("-", " ")}\n`.replaceAll("1", "l");
    expect(readClaimNumber(sloppy)).toEqual({ ok: true, number });
  }
});

test("every single wrong character is told, with the group that it stands in", () => {
  const number = newClaimNumber();
  for (const [index, right] of [...number].entries()) {
    if (right === "-") continue;
    for (const wrong of ALPHABET.replace(right, "")) {
      const read = readClaimNumber(number.slice(0, index) + wrong + number.slice(index + 1));
      expect(read.ok).toBe(false);
      if (!read.ok) expect(read.message).toContain(`group ${Math.floor(index / 6) + 1},`);
    }
  }
});

test("two neighbours that are swapped within a group are told", () => {
  fc.assert(
    fc.property(fc.nat({ max: 3 }), fc.nat({ max: 3 }), (group, place) => {
      const number = newClaimNumber();
      const at = group * 6 + place;
      const [a, b] = [number.charAt(at), number.charAt(at + 1)];
      fc.pre(a !== b);
      const read = readClaimNumber(number.slice(0, at) + b + a + number.slice(at + 2));
      expect(read.ok).toBe(false);
    }),
  );
});

test("what is no claim number says what one looks like", () => {
  expect(readClaimNumber("7H2K")).toMatchObject({
    ok: false,
    message: expect.stringContaining("20 characters"),
  });
  expect(readClaimNumber("U".repeat(20))).toMatchObject({
    ok: false,
    message: expect.stringContaining('"U"'),
  });
});
