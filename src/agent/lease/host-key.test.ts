import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateHostKey } from "./host-key.ts";

test("OpenSSH reads the private key and finds the public key in it", () => {
  const folder = mkdtempSync(join(tmpdir(), "sublet-host-key-"));
  try {
    const { privateText, publicLine } = generateHostKey();
    const path = join(folder, "key");
    writeFileSync(path, privateText, { mode: 0o600 });
    const read = spawnSync("ssh-keygen", ["-y", "-P", "", "-f", path], { encoding: "utf8" });
    expect(read.stderr).toBe("");
    expect(read.stdout.trim()).toBe(publicLine);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
