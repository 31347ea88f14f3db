import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONSENT_NAMESPACE } from "../../src/enablement/capacity/consent.ts";

/** A key as a client has it, in a folder of the test's. */
export interface ClientKey {
  /** As it stands in a grant. */
  readonly publicLine: string;
  /** What the client's own ssh-keygen writes. */
  sign(text: string, namespace?: string): string;
}

export function makeClientKey(folder: string, name = "client"): ClientKey {
  const path = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]);
  return {
    publicLine: readFileSync(`${path}.pub`, "utf8").trim(),
    sign(text, namespace = CONSENT_NAMESPACE) {
      const statement = join(folder, `${name}.statement`);
      writeFileSync(statement, text);
      rmSync(`${statement}.sig`, { force: true });
      execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", namespace, "-f", path, statement], {
        stdio: "ignore",
      });
      return readFileSync(`${statement}.sig`, "utf8");
    },
  };
}
