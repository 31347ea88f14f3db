import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readGets, restore } from "./get.ts";
import { expand, putEntries } from "./put.ts";
import { tar, tarBytes } from "./tar.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sublet-tar-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function unpacked(puts: readonly string[]): Promise<string> {
  const entries = await putEntries(puts, folder);
  const chunks: Buffer[] = [];
  for await (const chunk of tar(entries)) chunks.push(chunk);
  const to = join(folder, "unpacked");
  mkdirSync(to);
  const whole = Buffer.concat(chunks);
  expect(whole.length).toBe(tarBytes(entries));
  const ran = spawnSync("tar", ["-xf", "-", "-C", to], { input: whole });
  expect(ran.stderr.toString()).toBe("");
  return to;
}

test("files, folders and links arrive as tar unpacks them, under the names they were given", async () => {
  mkdirSync(join(folder, "a b/c"), { recursive: true });
  writeFileSync(join(folder, "a b/c/run me"), "x".repeat(1000), { mode: 0o755 });
  symlinkSync("c/run me", join(folder, "a b/link"));
  writeFileSync(join(folder, "it's:here"), "colon");
  const to = await unpacked(["a b", "a b/c/run me:/etc/other name", "it's:here", "a b/c:in/"]);
  expect(statSync(join(to, "work/a b/c/run me")).mode & 0o777).toBe(0o755);
  expect(readlinkSync(join(to, "work/a b/link"))).toBe("c/run me");
  expect(readFileSync(join(to, "root/etc/other name"), "utf8")).toHaveLength(1000);
  expect(readFileSync(join(to, "work/it's:here"), "utf8")).toBe("colon");
  expect(statSync(join(to, "work/in/c")).isDirectory()).toBe(true);
});

test("a pattern is expanded here, sorted, and goes to a folder; nothing to send is told", async () => {
  for (const name of ["b.csv", "a.csv", "c.txt"]) writeFileSync(join(folder, name), name);
  expect(await expand("*.csv", folder)).toEqual(["a.csv", "b.csv"]);
  await expect(putEntries(["*.csv:one"], folder)).rejects.toThrow(
    /end the name there with a slash/,
  );
  await expect(putEntries(["*.none"], folder)).rejects.toThrow(/no \*.none here/);
  await expect(putEntries(["a.csv:../up"], folder)).rejects.toThrow(/leads out/);
});

test("names of any length", async () => {
  const name = `${"long".repeat(40)}.txt`;
  writeFileSync(join(folder, name), "1");
  const to = await unpacked([name, `${name}:${"deep/".repeat(30)}end`]);
  expect(readFileSync(join(to, "work", name), "utf8")).toBe("1");
  expect(readFileSync(join(to, "work", "deep/".repeat(30), "end"), "utf8")).toBe("1");
});

test("what comes back goes where it was said, and what is missing is told", async () => {
  const root = join(folder, "root");
  mkdirSync(join(root, "j/work/d"), { recursive: true });
  for (const name of ["a.csv", "b.csv", "d/e"]) writeFileSync(join(root, "j/work", name), name);
  writeFileSync(join(root, "j/map"), "0\tj/work/a.csv\n0\tj/work/b.csv\n1\tj/work/d\n");
  writeFileSync(join(root, "j/missing"), "none\n");
  const gets = readGets(["*.csv:tables", "d:renamed", "none"]);
  const { files, missing } = await restore(root, "/j", gets, folder);
  expect(files.map((path) => path.slice(folder.length))).toEqual([
    "/tables/a.csv",
    "/tables/b.csv",
    "/renamed",
  ]);
  expect(missing).toEqual(["none"]);
  expect(readFileSync(join(folder, "renamed/e"), "utf8")).toBe("d/e");
});

test("a guest that names a path above what it sent gets nothing out of it", async () => {
  const root = join(folder, "root");
  mkdirSync(join(root, "j"), { recursive: true });
  writeFileSync(join(folder, "secret"), "s");
  writeFileSync(join(root, "j/map"), "0\t../secret\n");
  await expect(restore(root, "/j", readGets(["x"]), folder)).rejects.toThrow(/leads out/);
});
