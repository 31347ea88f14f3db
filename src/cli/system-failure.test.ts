import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeFailure } from "./failure.ts";

const folder = mkdtempSync(join(tmpdir(), "sublet-failure-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a file that is not there, or is a folder, is named with what to do", () => {
  const path = join(folder, "missing");
  expect(failed(() => readFileSync(path))).toMatchObject({
    ...{ code: "file-missing", exitCode: 1 },
    message: `${path} is not there; check the path`,
  });
  expect(failed(() => readFileSync(folder)).message).toMatch(/; name a file$/);
  writeFileSync(join(folder, "file"), "");
  expect(failed(() => readFileSync(join(folder, "file", "x"))).message).toContain("name a folder");
});

test("a port that is taken is named with the option that chooses another", async () => {
  const first = createServer();
  await new Promise<void>((done) => first.listen(0, "127.0.0.1", done));
  const { port } = first.address() as { port: number };
  const second = createServer();
  const error = await new Promise<Error>((done) => {
    second.once("error", done).listen(port, "127.0.0.1");
  });
  expect(describeFailure(error)).toMatchObject({
    code: "port-in-use",
    message: `127.0.0.1:${port} is in use by another program; stop that, or choose another with --listen ADDRESS:PORT`,
  });
  await new Promise((done) => first.close(done));
});

test("what the system says of its own keeps no code of Node's and no stack", () => {
  for (const [code, said] of [
    ["EACCES", "as the user that owns it"],
    ["ENOSPC", "make room, then try again"],
    ["EROFS", "name another"],
    ["EADDRNOTAVAIL", "0.0.0.0 for all"],
  ] as const) {
    const error = Object.assign(new Error(`${code}: it says`), { code, path: "/srv/x" });
    const failure = describeFailure(error);
    expect(failure.message).toContain(said);
    expect(failure.message).not.toContain(code);
    expect(failure.stack).toBeUndefined();
  }
});

function failed(act: () => unknown) {
  try {
    act();
  } catch (error) {
    return describeFailure(error);
  }
  throw new Error("it did not fail");
}
