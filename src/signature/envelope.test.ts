import { sign as signBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { canonicalJson } from "../unit/canonical.ts";
import { claimedKid, sign, unwrapPasted, type VerifyCode, verify } from "./envelope.ts";
import { generateKey, keyRing, privateKeyObject, type SigningKey } from "./key.ts";
import type { SignedType } from "./type.ts";

const key = generateKey();
const stranger = generateKey();
const keys = keyRing([key.publicJwk]);
const payload = { leaseId: "lease_1", prices: { cpu: "4000", text: "é€😀" }, seq: 3 };
const schema = z.strictObject({
  leaseId: z.string(),
  prices: z.strictObject({ cpu: z.string(), text: z.string() }),
  seq: z.number().int(),
});
const jws = sign("sublet-grant", payload, key);

function check(text: string, typ: SignedType = "sublet-grant", ring = keys) {
  return verify({ jws: text, typ, keys: ring, schema });
}

function codeOf(text: string): VerifyCode | "accepted" {
  const result = check(text);
  return result.ok ? "accepted" : result.code;
}

/** Signed by the right key over any texts, right or wrong. */
function signTexts(header: string, body: string, by: SigningKey = key): string {
  const signed = [header, body].map((text) => Buffer.from(text).toString("base64url")).join(".");
  const signature = signBytes(null, Buffer.from(signed), privateKeyObject(by.privateJwk));
  return `${signed}.${signature.toString("base64url")}`;
}
const header = canonicalJson({ alg: "EdDSA", kid: key.kid, typ: "sublet-grant" });
const body = canonicalJson(payload);
const headerWith = (changed: object) =>
  canonicalJson({ alg: "EdDSA", kid: key.kid, typ: "sublet-grant", ...changed });

test("what was signed is accepted, with its payload and kid", () => {
  expect(check(jws)).toEqual({ ok: true, payload, kid: key.kid });
  expect(signTexts(header, body)).toBe(jws);
  expect(claimedKid(jws)).toBe(key.kid);
});

test("signing the same twice gives the same text", () => {
  expect(sign("sublet-grant", payload, key)).toBe(jws);
});

describe("every character counts", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  test("another character at any place is refused", () => {
    for (let at = 0; at < jws.length; at++) {
      const was = alphabet.indexOf(jws.charAt(at));
      const neighbours = [1, 2, 15, 16, 31].map((by) => alphabet.charAt((was + by + 64) % 64));
      for (const other of [...neighbours, "+", "/", "=", ".", " ", "\n", "\0", "é"]) {
        if (other === jws.charAt(at)) continue;
        const altered = jws.slice(0, at) + other + jws.slice(at + 1);
        if (codeOf(altered) === "accepted") expect.fail(`${other} at ${at} was accepted`);
      }
    }
  });

  test("the last character has 63 other values, and all are refused", () => {
    const refused = [...alphabet].filter(
      (other) => codeOf(jws.slice(0, -1) + other) !== "accepted",
    );
    expect(refused).toHaveLength(63);
  });

  test("a dropped character at any place is refused", () => {
    for (let at = 0; at < jws.length; at++) {
      if (codeOf(jws.slice(0, at) + jws.slice(at + 1)) === "accepted") expect.fail(`at ${at}`);
    }
  });

  test("an inserted character at any place is refused", () => {
    for (let at = 0; at <= jws.length; at++) {
      for (const extra of ["A", "_", "=", ".", " ", "\n"]) {
        if (codeOf(jws.slice(0, at) + extra + jws.slice(at)) === "accepted") {
          expect.fail(`${JSON.stringify(extra)} at ${at} was accepted`);
        }
      }
    }
  });

  test("a text cut off anywhere is refused", () => {
    for (let at = 0; at < jws.length; at++) {
      if (codeOf(jws.slice(0, at)) === "accepted") expect.fail(`at ${at}`);
    }
  });

  test("any other text is refused", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => codeOf(text) !== "accepted"));
  });
});

const [h = "", p = "", s = ""] = jws.split(".");
/** The signature's second half plus the order of the group: the same equation, another text. */
function malleated(): string {
  const bytes = Buffer.from(s, "base64url");
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const half = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + order;
  const altered = Buffer.from(half.toString(16).padStart(64, "0"), "hex").reverse();
  return Buffer.concat([bytes.subarray(0, 32), altered]).toString("base64url");
}
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

test.each<[string, string, VerifyCode, RegExp]>([
  ["nothing", "", "malformed", /three parts/],
  ["two parts", `${h}.${p}`, "malformed", /three parts/],
  ["four parts", `${jws}.${s}`, "malformed", /three parts/],
  ["an empty header", `.${p}.${s}`, "malformed", /header/],
  ["an empty payload", `${h}..${s}`, "malformed", /payload/],
  ["an empty signature", `${h}.${p}.`, "malformed", /signature/],
  ["a signature cut off", `${h}.${p}.${s.slice(0, 40)}`, "malformed", /signature.*cut off/],
  [
    "a signature with a byte more",
    `${h}.${p}.${Buffer.alloc(65).toString("base64url")}`,
    "malformed",
    /65 bytes/,
  ],
  ["a text that is too long", "A".repeat(4_000_001), "malformed", /too long/],
  ["a header that is not JSON", signTexts("{", body), "malformed", /header/],
  ["a header that is a list", signTexts("[]", body), "malformed", /header/],
  ["a header that is null", signTexts("null", body), "malformed", /header/],
  ["a header that is very deep", signTexts(deep, body), "malformed", /header/],
  ["a header with crit", signTexts(headerWith({ crit: ["b64"] }), body), "malformed", /header/],
  [
    "a header with a key",
    signTexts(headerWith({ jwk: key.publicJwk }), body),
    "malformed",
    /header/,
  ],
  [
    "a header without kid",
    signTexts('{"alg":"EdDSA","typ":"sublet-grant"}', body),
    "malformed",
    /header/,
  ],
  ["a header with a space", signTexts(header.replace(":", ": "), body), "not-canonical", /header/],
  [
    "a header with a member twice",
    signTexts(header.replace("{", '{"alg":"none",'), body),
    "not-canonical",
    /header/,
  ],
  [
    "a header in another order",
    signTexts(`{"kid":"${key.kid}","alg":"EdDSA","typ":"sublet-grant"}`, body),
    "not-canonical",
    /header/,
  ],
  ["padding", `${h}.${p}.${s}==`, "not-canonical", /signature/],
  [
    "the plain base64 alphabet",
    `${h}.${Buffer.from(p, "base64url").toString("base64")}.${s}`,
    "not-canonical",
    /payload/,
  ],
  ["another type", sign("sublet-end", payload, key), "wrong-type", /sublet-end/],
  ["no type", signTexts(`{"alg":"EdDSA","kid":"${key.kid}"}`, body), "wrong-type", /unknown/],
  ["alg none", signTexts(headerWith({ alg: "none" }), body), "wrong-algorithm", /none/],
  ["alg HS256", signTexts(headerWith({ alg: "HS256" }), body), "wrong-algorithm", /HS256/],
  ["alg Ed25519", signTexts(headerWith({ alg: "Ed25519" }), body), "wrong-algorithm", /Ed25519/],
  ["another key", sign("sublet-grant", payload, stranger), "unknown-key", new RegExp(stranger.kid)],
  ["another key under this kid", signTexts(header, body, stranger), "bad-signature", /altered/],
  [
    "another payload under this signature",
    `${h}.${Buffer.from(canonicalJson({ ...payload, seq: 4 })).toString("base64url")}.${s}`,
    "bad-signature",
    /altered/,
  ],
  ["the signature plus the group's order", `${h}.${p}.${malleated()}`, "bad-signature", /altered/],
  ["a payload that is not JSON", signTexts(header, "{"), "bad-payload", /not JSON/],
  ["a payload of another shape", signTexts(header, "{}"), "bad-payload", /fit/],
  [
    "a payload with a member more",
    signTexts(header, canonicalJson({ ...payload, zz: 1 })),
    "bad-payload",
    /fit/,
  ],
  ["a payload with a space", signTexts(header, `${body} `), "bad-payload", /canonical/],
  [
    "a payload with a member twice",
    signTexts(header, body.replace("{", '{"seq":1,')),
    "bad-payload",
    /canonical/,
  ],
  ["a payload that is very deep", signTexts(header, deep), "bad-payload", /fit/],
])("%s is refused", (_name, text, code, message) => {
  expect(check(text)).toEqual({ ok: false, code, message: expect.stringMatching(message) });
});

test("bytes that are not UTF-8 are refused", () => {
  const broken = Buffer.from(body);
  broken[broken.indexOf("lease_1") + 5] = 0xff;
  const signed = `${h}.${broken.toString("base64url")}`;
  const signature = signBytes(null, Buffer.from(signed), privateKeyObject(key.privateJwk));
  expect(codeOf(`${signed}.${signature.toString("base64url")}`)).toBe("bad-payload");
});

test("a fraction cannot be signed, nor accepted", () => {
  expect(() => sign("sublet-grant", { seq: 0.5 }, key)).toThrow(TypeError);
  const loose = z.looseObject({ seq: z.number() });
  const text = signTexts(header, '{"seq":0.5}');
  expect(verify({ jws: text, typ: "sublet-grant", keys, schema: loose })).toMatchObject({
    ok: false,
    code: "bad-payload",
  });
});

test("no key is trusted when none is given", () => {
  expect(check(jws, "sublet-grant", keyRing([]))).toMatchObject({ code: "unknown-key" });
});

test("line breaks from pasting are removed when asked for, and never by verifying", () => {
  const pasted = ` ${jws.replace(/.{64}/g, "$&\r\n")}\n`;
  expect(codeOf(pasted)).toBe("not-canonical");
  expect(codeOf(unwrapPasted(pasted))).toBe("accepted");
});

test("a text that is no envelope claims no kid", () => {
  expect(claimedKid("")).toBeNull();
  expect(claimedKid(signTexts('{"kid":1}', body))).toBeNull();
});
