import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkConsent, consentStatement } from "../../src/enablement/capacity/consent.ts";
import { newId } from "../../src/unit/id.ts";
import { makeClientKey } from "./client-key.ts";

const folder = mkdtempSync(join(tmpdir(), "sublet-consent-"));
afterAll(() => rmSync(folder, { recursive: true }));

const wish = {
  ...{ leaseId: newId("lease"), codeId: newId("code") },
  ...{ resource: "cpu" as const, quantity: 1000 },
};

test("what the client's ssh-keygen has signed is its consent, to exactly that", () => {
  const client = makeClientKey(folder);
  const key = client.publicLine;
  const statement = consentStatement(wish);
  for (const text of [statement, `${statement}\n`]) {
    expect(checkConsent(wish, client.sign(text), key)).toEqual({ ok: true });
  }
  const signed = client.sign(statement);
  const others = [
    { ...wish, quantity: 2000 },
    { ...wish, resource: "memory" as const },
    { ...wish, leaseId: newId("lease") },
    { ...wish, codeId: newId("code") },
  ];
  for (const other of others) expect(checkConsent(other, signed, key).ok).toBe(false);
});

test("another key, another purpose and damaged text are told apart", () => {
  const right = makeClientKey(folder, "right");
  const wrong = makeClientKey(folder, "wrong");
  const key = right.publicLine;
  const statement = consentStatement(wish);
  expect(checkConsent(wish, wrong.sign(statement), key)).toMatchObject({
    message: "it was signed with another key",
  });
  expect(checkConsent(wish, right.sign(statement, "file"), key)).toMatchObject({
    message: 'it was signed for "file" and not with -n sublet-consent',
  });
  const signed = right.sign(statement);
  expect(checkConsent(wish, signed.replace(/.{8}\n-----END/, "\n-----END"), key).ok).toBe(false);
  expect(checkConsent(wish, "yes, please", key)).toMatchObject({
    message: "it is no signature of ssh-keygen -Y sign",
  });
});
