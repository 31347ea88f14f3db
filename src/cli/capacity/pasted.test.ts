import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newClaimNumber } from "../../enablement/capacity/claim-number.ts";
import { issueCode } from "../../enablement/capacity/issue-code.ts";
import { sign } from "../../signature/envelope.ts";
import { generateKey } from "../../signature/key.ts";
import { newId } from "../../unit/id.ts";
import { pasteable } from "./paper.ts";
import { isPasted, readPasted } from "./pasted.ts";
import { mergeTerms } from "./terms-options.ts";

const key = generateKey();
const { jws, code } = issueCode({
  codeId: newId("code"),
  provider: { id: newId("party"), name: "acme" },
  customer: { id: newId("party"), name: "attic" },
  wanted: { hostId: newId("host"), resource: "cpu", quantity: 2000, forSeconds: 86_400 },
  requestId: null,
  sequence: 1,
  terms: mergeTerms("cpu", { price: 100_000n }, undefined),
  market: { currency: "EUR", minorUnitDigits: 2, timeZone: "UTC" } as never,
  operatorFeePpm: 0,
  key,
  now: new Date("2026-11-22T10:00:00Z"),
});
const [header = "", payload = "", signature = ""] = jws.split(".");
const failure = (text: string) => {
  try {
    return JSON.stringify(readPasted(text));
  } catch (error) {
    return (error as Error).message;
  }
};

describe("a pasted code", () => {
  test("is read whatever white space a mail or terminal has put into it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(jws.length), fc.constantFrom(" ", "\n", "\r\n  ", "\t")), {
          maxLength: 12,
        }),
        (gaps) => {
          let text = jws;
          for (const [at, gap] of gaps) text = text.slice(0, at) + gap + text.slice(at);
          expect(readPasted(text)).toEqual({ kind: "code", jws, code });
        },
      ),
    );
    expect(readPasted(pasteable(jws))).toMatchObject({ jws });
    expect(
      pasteable(jws)
        .split("\n")
        .every((line) => line.length <= 72),
    ).toBe(true);
  });

  test.each([
    [jws.slice(0, -10), "the signature has 76 characters, not 86: was the text cut off?"],
    [`${header}.${payload}`, "expected three parts joined by points, found 2"],
    [`${header}..${signature}`, "the payload is empty"],
    [`${header}.${payload.slice(0, -1)}.${signature}`, "payload"],
    [`${header}.${payload}ö.${signature}`, "the payload is not exact base64url"],
    [sign("sublet-host-card", {}, key), "this is a sublet-host-card"],
    ["  \n ", "nothing was pasted"],
  ])("that is wrong is told which part is (%#)", (text, told) => {
    expect(failure(text)).toContain(told);
  });

  test("whose payload another wrote in is told where", () => {
    const bad = { ...code, quantity: 1500 };
    expect(failure(sign("sublet-capacity-code", bad, key))).toContain("was altered");
    const named = { ...code, resource: "gold" };
    expect(failure(sign("sublet-capacity-code", named, key))).toContain("at resource");
  });
});

describe("a typed claim number", () => {
  test("is read in small letters, with blanks or without hyphens", () => {
    const number = newClaimNumber();
    for (const typed of [
      number.toLowerCase(),
      number.replaceAll("-", ""),
      number.replaceAll("-", " "),
    ]) {
      expect(readPasted(typed)).toEqual({ kind: "claim", number });
      expect(isPasted(typed)).toBe(true);
    }
  });

  test("that is mistyped is told in which group", () => {
    const number = newClaimNumber();
    const at = "XXXXX-XX".length - 1;
    const wrong = `${number.slice(0, at)}${number[at] === "7" ? "8" : "7"}${number.slice(at + 1)}`;
    expect(failure(wrong)).toContain(`group 2, ${wrong.slice(6, 11)}, is mistyped`);
    expect(failure(number.slice(0, -1))).toContain(
      "has 20 characters in 4 groups, and this has 19",
    );
  });

  test.each(["h1.code", "codes/h1", "./wish.request", "acme"])("is not the file %s", (word) => {
    expect(isPasted(word)).toBe(false);
  });
});
