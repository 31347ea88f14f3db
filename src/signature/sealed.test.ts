import { expect, test } from "vitest";
import {
  generateSealKeys,
  SEALED_HEAD_BYTES,
  SEALED_TAG_BYTES,
  type SealKeys,
  sealFor,
  unseal,
} from "./sealed.ts";

const text = Buffer.from("what a guest left behind".repeat(100));

function sealed(keys: SealKeys, about = "lease_1"): Buffer {
  const sealing = sealFor(keys.publicKey, about);
  const body = [text.subarray(0, 700), text.subarray(700)].map((part) => sealing.add(part));
  return Buffer.concat([sealing.head, ...body, sealing.end()]);
}

function opened(keys: SealKeys, whole: Buffer, about = "lease_1"): Buffer {
  const head = whole.subarray(0, SEALED_HEAD_BYTES);
  const unsealing = unseal(keys, about, head, whole.subarray(-SEALED_TAG_BYTES));
  const content = unsealing.add(whole.subarray(SEALED_HEAD_BYTES, -SEALED_TAG_BYTES));
  unsealing.end();
  return content;
}

test("what is sealed for a key opens with it, and is not to be read before", () => {
  const keys = generateSealKeys();
  const whole = sealed(keys);
  expect(whole.includes("guest left")).toBe(false);
  expect(opened(keys, whole).equals(text)).toBe(true);
});

test("it opens with no other key, for nothing else, and not when a bit was changed", () => {
  const keys = generateSealKeys();
  const whole = sealed(keys);
  const { publicKey } = keys;
  expect(() => opened(generateSealKeys(), whole)).toThrow(/not what was sealed/);
  expect(() => opened({ ...generateSealKeys(), publicKey }, whole)).toThrow();
  expect(() => opened(keys, whole, "lease_2")).toThrow(/not what was sealed/);
  for (const at of [5, SEALED_HEAD_BYTES + 3, whole.length - 1]) {
    const altered = Buffer.from(whole);
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
    expect(() => opened(keys, altered), `byte ${at}`).toThrow();
  }
  expect(() => opened(keys, whole.subarray(1))).toThrow(/not something that was sealed/);
});

test("the same content is sealed differently each time", () => {
  const keys = generateSealKeys();
  expect(sealed(keys).equals(sealed(keys))).toBe(false);
});
