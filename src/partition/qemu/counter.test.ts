import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { neverBackwards } from "./counter.ts";
import { type GuestFolder, guestFolder } from "./guest-folder.ts";

let folder: string;
let paths: GuestFolder;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sublet-counter-"));
  paths = guestFolder(folder, "lease_1");
  await mkdir(paths.folder);
});

afterAll(() => rm(folder, { recursive: true }));

test("a counter keeps its largest value, also when the process is gone", async () => {
  expect(await neverBackwards(paths, "life-1", 100n)).toBe(100n);
  expect(await neverBackwards(paths, "life-1", 40n)).toBe(100n);
  expect(await neverBackwards(paths, "life-1", 0n)).toBe(100n);
});

test("another life of the process begins anew", async () => {
  expect(await neverBackwards(paths, "life-2", 7n)).toBe(7n);
});

test("observers at the same moment leave the largest value", async () => {
  const readings = Array.from({ length: 20 }, (_, index) => BigInt(1000 - index));
  await Promise.all(readings.map((reading) => neverBackwards(paths, "life-2", reading)));
  expect(await neverBackwards(paths, "life-2", 0n)).toBe(1000n);
});

test("a value that a crash of the host cut short is forgotten", async () => {
  await writeFile(paths.counterPath, '{"processId":"li');
  expect(await neverBackwards(paths, "life-2", 3n)).toBe(3n);
});

test("a guest that is wiped while it is read leaves no file behind", async () => {
  expect(await neverBackwards(guestFolder(folder, "lease_gone"), "life-1", 5n)).toBe(5n);
  expect(await readdir(folder)).toEqual(["lease_1"]);
});
