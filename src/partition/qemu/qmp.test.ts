import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { qmp } from "./qmp.ts";
import { parseQmpLine, splitLines } from "./qmp-message.ts";
import { exitReasonOfStatus } from "./status.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

test("QMP's four kinds of message are told apart", () => {
  expect(parseQmpLine('{"QMP": {"version": {}}}')).toEqual({ kind: "greeting" });
  expect(parseQmpLine('{"return": 7}')).toEqual({ kind: "return", value: 7 });
  expect(parseQmpLine('{"event": "STOP", "data": {}}')).toEqual({ kind: "event", name: "STOP" });
  const error = { kind: "error", description: "no such command" };
  expect(parseQmpLine('{"error": {"class": "X", "desc": "no such command"}}')).toEqual(error);
  expect(() => parseQmpLine("[]")).toThrow();
});

test("an answer that arrives in pieces is one line", () => {
  expect(splitLines('{"a"')).toEqual({ lines: [], rest: '{"a"' });
  expect(splitLines('{"a":1}\r\n{"b"')).toEqual({ lines: ['{"a":1}'], rest: '{"b"' });
});

test.each([
  ["running", null],
  ["paused", null],
  ["shutdown", "guest-powered-off"],
  ["guest-panicked", "guest-crashed"],
  ["internal-error", "machine-failed"],
])("the status %s means %s", (status, reason) => {
  expect(exitReasonOfStatus({ status })).toBe(reason);
});

test("commands are answered in order, whatever events come between", async () => {
  const path = await fakeQemu((command) => `{"event": "X"}\n{"return": "${command}"}\n`);
  const asked = [{ execute: "one" }, { execute: "two" }];
  expect(await qmp(path, asked, 1000)).toEqual(["one", "two"]);
});

test("a socket whose path is too long for the system is reached all the same", async () => {
  const path = await fakeQemu((command) => `{"return": "${command}"}\n`, "x".repeat(120));
  expect(Buffer.byteLength(path)).toBeGreaterThan(107);
  expect(await qmp(path, [{ execute: "one" }], 1000)).toEqual(["one"]);
});

test("requests to one guest wait for one another, since QEMU serves one at a time", async () => {
  let open = 0;
  let most = 0;
  const path = await fakeQemu(
    (command) => `{"return": "${command}"}\n`,
    "",
    (change) => {
      open += change;
      most = Math.max(most, open);
    },
  );
  await Promise.all([1, 2, 3].map(() => qmp(path, [{ execute: "one" }], 1000)));
  expect(most).toBe(1);
});

test("a silent QEMU, a refused command and a process gone mad are failures", async () => {
  const silent = await fakeQemu(() => "");
  await expect(qmp(silent, [{ execute: "one" }], 100)).rejects.toThrow("did not answer");
  const refusing = await fakeQemu(() => '{"error": {"desc": "refused"}}\n');
  await expect(qmp(refusing, [{ execute: "one" }], 1000)).rejects.toThrow("refused");
  const mad = await fakeQemu(() => "no json\n");
  await expect(qmp(mad, [{ execute: "one" }], 1000)).rejects.toThrow("not understood");
  const endless = await fakeQemu(() => "x".repeat(3 * 1024 * 1024));
  await expect(qmp(endless, [{ execute: "one" }], 1000)).rejects.toThrow("no end");
});

async function fakeQemu(
  answer: (command: string) => string,
  subfolder = "",
  count: (change: 1 | -1) => void = () => undefined,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sublet-qmp-"));
  const socketPath = join(folder, "qmp.sock");
  const server: Server = createServer((socket) => {
    count(1);
    // The client closes as soon as it knows enough.
    socket.on("error", () => socket.destroy());
    socket.write('{"QMP": {}}\n');
    socket.on("data", (data) => {
      const command = JSON.parse(String(data)).execute;
      if (command !== "qmp_capabilities") count(-1);
      socket.write(answer(command));
    });
  });
  // A long path cannot be listened on, but a link to the short one's folder can be long.
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closers.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => rm(folder, { recursive: true, force: true }),
  );
  if (subfolder === "") return socketPath;
  await symlink(folder, join(folder, subfolder));
  return join(folder, subfolder, "qmp.sock");
}
