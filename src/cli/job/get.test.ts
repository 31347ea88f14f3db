import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { makeTempFolder } from "../../../test/setup/temp-folder.ts";
import { readGets, restore } from "./get.ts";

const JOB = "/data/run_1";
const folder = makeTempFolder("get");
afterAll(() => folder.remove());
let count = 0;
let root = "";
let here = "";
beforeEach(() => {
  root = join(folder.path, `root${count}`);
  here = join(folder.path, `here${count++}`);
  mkdirSync(here);
});

/** What the guest sent: files, and which of the `gets` it says that they are. */
function archive(files: readonly string[], map: readonly string[]) {
  for (const path of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
  mkdirSync(join(root, JOB), { recursive: true });
  writeFileSync(join(root, JOB, "map"), map.map((line) => `${line}\n`).join(""));
}

test("what was named comes to where it was wanted: names, patterns, folders, whole paths", async () => {
  const work = "data/run_1/work";
  archive(
    [`${work}/out.csv`, `${work}/r/a.txt`, `${work}/r/b.txt`, `${work}/d/x`, "etc/os[1]", "etc/q"],
    [
      ...[`0\t${work}/out.csv`, `1\t${work}/r/a.txt`, `1\t${work}/r/b.txt`, `2\t${work}/d/`],
      ...["3\tetc/os[1]", "4\tetc/q"],
    ],
  );
  const gets = readGets(["out.csv:mine.csv", "r/*.txt:", "d/", "/etc/os[1]", "/etc/[a-q]:q/"]);
  const { files } = await restore(root, JOB, gets, here);
  const names = ["mine.csv", "a.txt", "b.txt", "d", "os[1]", "q/q"];
  expect(files).toEqual(names.map((name) => join(here, name)));
  expect(readFileSync(join(here, "mine.csv"), "utf8")).toBe(`${work}/out.csv`);
  expect(existsSync(join(here, "d/x"))).toBe(true);
});

test("all of the job's folder comes into the present one", async () => {
  archive(["data/run_1/work/x"], ["0\tdata/run_1/work/."]);
  await restore(root, JOB, readGets(["."]), here);
  expect(existsSync(join(here, "x"))).toBe(true);
});

test("a guest that answers with other names than were asked for writes none of them here", async () => {
  const work = "data/run_1/work";
  archive(
    [`${work}/.profile`, `${work}/r/.bashrc`, `${work}/evil/out.csv`, "etc/passwd"],
    [`0\t${work}/.profile`, `0\t${work}/evil/out.csv`, `1\t${work}/r/.bashrc`, "1\tetc/passwd"],
  );
  const restored = await restore(root, JOB, readGets(["out.csv", "r/*"]), here);
  expect(restored).toEqual({ files: [], missing: ["out.csv", "r/*"], problem: null });
  expect(existsSync(join(here, ".profile"))).toBe(false);
  writeFileSync(join(root, JOB, "problem"), "\u001b[2Jtoo much\n");
  const { problem } = await restore(root, JOB, readGets(["out.csv"]), here);
  expect(problem).toBe("too much");
});
