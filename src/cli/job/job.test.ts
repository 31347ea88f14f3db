import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readOutboxHead } from "../../partition/outbox.ts";

const SCRIPT = join(import.meta.dirname, "job.sh");
/** Each shell that guests have; busybox where this computer has it, as the guest tests do anyway. */
const SHELLS = ["dash", "busybox"].filter(
  (name) => spawnSync(name, ["--help"]).error === undefined,
);
const ROOM = 3 * 2 ** 20;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe.each(SHELLS)("a job under %s", (name) => {
  /** With busybox its own tools take the place of the system's. */
  const shell = name === "busybox" ? ["busybox", "sh"] : [name];

  function job(command: string, gets: readonly string[] = []) {
    const folder = mkdtempSync(join(tmpdir(), "sublet-job-"));
    folders.push(folder);
    const own = join(folder, "j");
    const box = join(folder, "box");
    mkdirSync(own);
    copyFileSync(SCRIPT, join(own, "job.sh"));
    writeFileSync(join(own, "command"), command);
    writeFileSync(join(own, "gets"), gets.map((line) => `${line}\n`).join(""));
    writeFileSync(box, "");
    truncateSync(box, ROOM);
    const call = (mode: string) => {
      const [program = "", ...args] = [...shell, join(own, "job.sh"), mode];
      return spawnSync(program, args, { env: { ...process.env, SUBLET_OUTBOX: box } });
    };
    const head = () => {
      const block = Buffer.alloc(512);
      readSync(openSync(box, "r"), block, 0, 512, 0);
      return readOutboxHead(block, ROOM);
    };
    return { own, box, call, head };
  }

  async function done(one: ReturnType<typeof job>) {
    for (let tries = 0; tries < 200; tries++) {
      const head = one.head();
      if (head.state === "done") return head;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`it is ${JSON.stringify(one.head())}`);
  }

  function left({ own, box }: ReturnType<typeof job>, bytes: number) {
    const to = join(own, "left");
    mkdirSync(to);
    const content = readFileSync(box).subarray(2 ** 20, 2 ** 20 + bytes);
    const ran = spawnSync("tar", ["-xf", "-", "-C", to], { input: content });
    expect(ran.stderr.toString()).toBe("");
    return { folder: join(to, own), root: to };
  }

  test("runs apart from whoever started it, and its exit code and output are there later", async () => {
    const one = job("echo begun; sleep 1; echo ended; echo wrong >&2; exit 3");
    expect(one.call("start").stdout.toString()).toBe(`dir=${one.own}\n`);
    expect(one.head()).toEqual({ state: "running" });
    const followed = one.call("follow");
    expect(followed.stdout.toString()).toBe("begun\nended\n");
    expect(followed.stderr.toString()).toBe("wrong\n");
    expect(await done(one)).toMatchObject({ exitCode: 3 });
    expect(one.call("logs").stdout.toString()).toBe("begun\nended\n");
  });

  test("leaves behind what was named, with blanks and globs, and tells what is missing", async () => {
    const command = "mkdir d; echo 1 >'a b.csv'; echo 2 >c.csv; echo 3 >d/e; echo 4 >f";
    const one = job(command, ["*.csv", "d", "not there", "-n"]);
    one.call("start");
    const { folder } = left(one, (await done(one)).bytes);
    const found = readdirSync(join(folder, "work"), { recursive: true }).map(String).sort();
    expect(found).toEqual(["a b.csv", "c.csv", "d", "d/e"]);
    expect(readFileSync(join(folder, "missing"), "utf8")).toBe("not there\n-n\n");
    expect(readFileSync(join(folder, "exit"), "utf8")).toBe("0\n");
  });

  test("outputs for which there is no room are told of, and what was written is kept", async () => {
    const one = job("echo said; dd if=/dev/zero of=big bs=65536 count=64 2>/dev/null", ["big"]);
    one.call("start");
    const { folder } = left(one, (await done(one)).bytes);
    expect(readFileSync(join(folder, "problem"), "utf8")).toMatch(/have 4\d{6} bytes.*--keep/);
    expect(readFileSync(join(folder, "log/out.0"), "utf8")).toBe("said\n");
    expect(existsSync(join(folder, "work/big"))).toBe(false);
  });

  test("is asked to end, and its own answer to that is its exit code", async () => {
    const one = job("trap 'echo tidy; exit 7' TERM; echo up; sleep 60 & wait");
    one.call("start");
    while (!one.call("logs").stdout.includes("up"));
    expect(one.call("cancel").status).toBe(0);
    expect(await done(one)).toMatchObject({ exitCode: 7 });
    expect(one.call("logs").stdout.toString()).toBe("up\ntidy\n");
  });

  test("ended by a signal it has 128 and its number", async () => {
    const one = job("kill -9 $$");
    one.call("start");
    expect(await done(one)).toMatchObject({ exitCode: 137 });
  });

  test("output without end takes a bounded room, and its end is there", async () => {
    const one = job("dd if=/dev/zero bs=65536 count=400 2>/dev/null | tr '\\0' x; echo last");
    one.call("start");
    await done(one);
    const said = one.call("logs").stdout.toString();
    expect(said.length).toBeGreaterThan(100_000);
    expect(said.length).toBeLessThan(20 * 2 ** 20);
    expect(said.endsWith("xlast\n")).toBe(true);
  });

  test("puts elsewhere what was sent for elsewhere, and leaves other folders as they are", () => {
    const one = job("true");
    const target = join(one.own, "../elsewhere");
    mkdirSync(target, { mode: 0o711 });
    chmodSync(target, 0o711);
    mkdirSync(join(one.own, "root", target, "new"), { recursive: true });
    writeFileSync(join(one.own, "root", target, "new/in put"), "x");
    expect(one.call("place").stdout.toString()).toBe(`dir=${one.own}\n`);
    expect(readFileSync(join(target, "new/in put"), "utf8")).toBe("x");
    expect(existsSync(join(one.own, "root"))).toBe(false);
  });

  test("the archive for a client that waits has the same", () => {
    const one = job("true", ["x"]);
    mkdirSync(join(one.own, "work"));
    writeFileSync(join(one.own, "work/x"), "1");
    const listed = spawnSync("tar", ["-tf", "-"], { input: one.call("collect").stdout });
    const names = listed.stdout.toString().split("\n");
    expect(names.map((name) => name.split("/").slice(-2))).toContainEqual(["work", "x"]);
  });
});
