import { expect, test } from "vitest";
import { type ActsHead, setBackBy } from "./set-back.ts";

const head = (seq: number, runNs: bigint, atMs: number, hash = `hash-${seq}`): ActsHead => ({
  ...{ seq, hash, atMs, runNs },
});

test.each([
  ["the same head again", head(5, 50n, 1_000), head(5, 50n, 1_000), false],
  ["a later head", head(5, 50n, 1_000), head(6, 60n, 2_000), false],
  ["an older file that comes later", head(6, 60n, 2_000), head(5, 50n, 1_000), false],
  ["another hash under a number", head(5, 50n, 1_000), head(5, 60n, 2_000, "other"), true],
  ["fewer acts after a longer run", head(6, 50n, 1_000), head(5, 60n, 2_000), true],
  ["less run time at a later instant", head(6, 60n, 1_000), head(5, 50n, 100_000), true],
  ["a clock that was put right", head(5, 50n, 10_000), head(6, 60n, 5_000), false],
])("%s", (_name, a, b, isSetBack) => {
  expect(setBackBy(a, b) !== null).toBe(isSetBack);
  expect(setBackBy(b, a) !== null).toBe(isSetBack);
});
