import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  CONSENT_NAMESPACE,
  checkConsent,
  consentStatement,
} from "../../src/enablement/capacity/consent.ts";
import { newId } from "../../src/unit/id.ts";

const folder = mkdtempSync(join(tmpdir(), "sublet-consent-"));
afterAll(() => rmSync(folder, { recursive: true }));

const wish = {
  ...{ leaseId: newId("lease"), codeId: newId("code") },
  ...{ resource: "cpu" as const, quantity: 1000 },
};

/** Makes a key as a client has it; gives its public line. */
function makeKey(name: string): string {
  const path = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]);
  return readFileSync(`${path}.pub`, "utf8").trim();
}

/** What the client's own ssh-keygen writes. */
function signWith(name: string, text: string, namespace = CONSENT_NAMESPACE): string {
  const path = join(folder, "statement");
  writeFileSync(path, text);
  rmSync(`${path}.sig`, { force: true });
  execFileSync(
    "ssh-keygen",
    ["-q", "-Y", "sign", "-n", namespace, "-f", join(folder, name), path],
    {
      stdio: "ignore",
    },
  );
  return readFileSync(`${path}.sig`, "utf8");
}

test("what the client's ssh-keygen has signed is its consent, to exactly that", () => {
  const key = makeKey("client");
  const statement = consentStatement(wish);
  for (const text of [statement, `${statement}\n`]) {
    expect(checkConsent(wish, signWith("client", text), key)).toEqual({ ok: true });
  }
  const signed = signWith("client", statement);
  const others = [
    { ...wish, quantity: 2000 },
    { ...wish, resource: "memory" as const },
    { ...wish, leaseId: newId("lease") },
    { ...wish, codeId: newId("code") },
  ];
  for (const other of others) expect(checkConsent(other, signed, key).ok).toBe(false);
});

test("another key, another purpose and damaged text are told apart", () => {
  const key = makeKey("right");
  makeKey("wrong");
  const statement = consentStatement(wish);
  expect(checkConsent(wish, signWith("wrong", statement), key)).toMatchObject({
    message: "it was signed with another key",
  });
  expect(checkConsent(wish, signWith("right", statement, "file"), key)).toMatchObject({
    message: 'it was signed for "file" and not with -n sublet-consent',
  });
  const signed = signWith("right", statement);
  expect(checkConsent(wish, signed.replace(/.{8}\n-----END/, "\n-----END"), key).ok).toBe(false);
  expect(checkConsent(wish, "yes, please", key)).toMatchObject({
    message: "it is no signature of ssh-keygen -Y sign",
  });
});
