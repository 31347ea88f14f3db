import { expect, test } from "vitest";
import { OUTBOX_CONTENT_AT, readOutboxHead } from "./outbox.ts";

const ROOM = OUTBOX_CONTENT_AT + 1000;
const block = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(512)]);
const head = (text: string) => readOutboxHead(block(text), ROOM);

test("a guest says that its run has begun, has ended, and is all written", () => {
  expect(head("")).toEqual({ state: "empty" });
  expect(head("sublet-outbox 1 running\n")).toEqual({ state: "running" });
  expect(head("sublet-outbox 1 exited 3 0\n")).toEqual({ state: "exited", exitCode: 3 });
  const done = { state: "done", exitCode: 143, bytes: 1000 };
  expect(head("sublet-outbox 1 done 143 1000\n")).toEqual(done);
});

test.each([
  "sublet-outbox 2 running\n",
  "sublet-outbox 1 running",
  " sublet-outbox 1 running\n",
  "sublet-outbox 1 done 256 1\n",
  "sublet-outbox 1 done -1 1\n",
  "sublet-outbox 1 done 1 1e3\n",
  "sublet-outbox 1 done 1 1\nmore\n",
])("%j counts as nothing written", (text) => {
  expect(head(text)).toEqual({ state: "empty" });
});

test("a guest that claims more than there is room for has left nothing to take", () => {
  expect(head("sublet-outbox 1 done 0 1001\n")).toEqual({ state: "exited", exitCode: 0 });
});
