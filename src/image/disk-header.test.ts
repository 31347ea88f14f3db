import { expect, test } from "vitest";
import { qcow2Head } from "./disk-header.sample.ts";
import { readDiskHeader } from "./disk-header.ts";

const read = (head: Buffer) => readDiskHeader(head, head.length, "qcow2");

test("a disk says how large the guest sees it", () => {
  expect(read(qcow2Head())).toEqual({ ok: true, virtualBytes: 2 ** 30 });
  expect(read(qcow2Head({ version: 2 }))).toEqual({ ok: true, virtualBytes: 2 ** 30 });
  const raw = Buffer.alloc(4096);
  expect(readDiskHeader(raw, 4096, "raw")).toEqual({ ok: true, virtualBytes: 4096 });
});

const DATA_FILE = [0x44415441, "/etc/shadow"] as const;

test.each([
  ["a backing file", { backingAt: 512, backingLength: 11 }],
  ["the place of a backing file alone", { backingAt: 512 }],
  ["an external data file", { features: 4n }],
  ["the name of an external data file alone", { extensions: [DATA_FILE] }],
  ["such a name behind another extension", { extensions: [[0x6803f857, "features"], DATA_FILE] }],
] as const)("a disk with %s is refused as disk-references-files", (_, change) => {
  expect(read(qcow2Head(change))).toMatchObject({ ok: false, code: "disk-references-files" });
});

test.each([
  ["that is encrypted", { encryption: 2 }],
  ["that is marked as corrupt", { features: 2n }],
  ["with a feature that nobody knows", { features: 32n }],
  ["of another version", { version: 4 }],
  ["of no size", { virtualBytes: 0 }],
  ["whose header never ends", { noEnd: true }],
] as const)("a disk %s is refused as disk-unreadable", (_, change) => {
  expect(read(qcow2Head(change))).toMatchObject({ ok: false, code: "disk-unreadable" });
});

test("a disk that is not of the format it is called by is refused", () => {
  const head = qcow2Head();
  expect(readDiskHeader(head, head.length, "raw").ok).toBe(false);
  expect(readDiskHeader(Buffer.alloc(4096), 4096, "qcow2").ok).toBe(false);
  expect(readDiskHeader(Buffer.alloc(1000), 1000, "raw").ok).toBe(false);
  expect(readDiskHeader(Buffer.from("QFI"), 3, "qcow2").ok).toBe(false);
});
