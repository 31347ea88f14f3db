import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { Context } from "../context.ts";
import { interruptible } from "./interrupt.ts";

/** A terminal as far as is asked for: its streams say that they are one. */
function terminal(isTTY: boolean) {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const stderr = Object.assign(new PassThrough(), { isTTY });
  let told = "";
  stderr.on("data", (chunk: Buffer) => (told += chunk));
  const context = { stdin, stderr } as unknown as Context;
  return { context, stdin, told: () => told };
}

const never = () => new Promise<never>(() => undefined);

test("work that is not interrupted gives what it gives", async () => {
  const { context } = terminal(false);
  expect(await interruptible(context, undefined, async () => 7)).toEqual({
    interrupted: false,
    value: 7,
  });
});

test.each([
  ["e", { wish: "end", exitCode: 130 }],
  ["", { wish: "end", exitCode: 130 }],
  ["l", { wish: "leave", exitCode: 130 }],
])("at a terminal Ctrl-C asks, and %j is heard", async (answer, wanted) => {
  const { context, stdin, told } = terminal(true);
  let aborted = false;
  const done = interruptible(context, undefined, (signal) => {
    signal.addEventListener("abort", () => (aborted = true));
    return never();
  });
  process.emit("SIGINT");
  await expect.poll(told).toContain("[c]ontinue");
  stdin.write(`${answer}\n`);
  expect(await done).toMatchObject({ interrupted: true, ...wanted });
  expect(aborted).toBe(true);
});

test("who goes on goes on", async () => {
  const { context, stdin, told } = terminal(true);
  const work = Promise.withResolvers<string>();
  const done = interruptible(context, undefined, () => work.promise);
  process.emit("SIGINT");
  await expect.poll(told).toContain("[c]ontinue");
  stdin.write("c\n");
  setTimeout(() => work.resolve("whole"), 50);
  expect(await done).toEqual({ interrupted: false, value: "whole" });
});

test.each([
  ["SIGINT", undefined, { wish: "end", exitCode: 130 }],
  ["SIGTERM", undefined, { wish: "end", exitCode: 143 }],
  ["SIGHUP", "leave", { wish: "leave", exitCode: 129 }],
] as const)("without a terminal %s with %s asks nobody", async (told, policy, wanted) => {
  const { context } = terminal(false);
  const done = interruptible(context, policy, never);
  process.emit(told);
  expect(await done).toEqual({ interrupted: true, ...wanted });
});
