import { execFile } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type FakeServer, PARTY, startFakeServer } from "./fake-server.ts";
import { runCli } from "./run-cli.ts";
import { id, leaseOf } from "./shapes.ts";

const MAIN = resolve(import.meta.dirname, "..", "..", "src", "cli", "main.ts");
const run = promisify(execFile);
const folder = makeTempFolder("cli-completion");
const LEASE = id("lease", "7");
let server: FakeServer;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  server = await startFakeServer();
  const program = join(folder.path, "sublet");
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(program, 0o755);
  env = {
    ...{ HOME: folder.path, SUBLET_CONFIG: folder.path, TERM: "xterm" },
    ...{ SUBLET_SERVER: server.url, SUBLET_KEY: "right" },
    PATH: `${folder.path}:${process.env.PATH}`,
  };
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});
beforeEach(() => {
  server.routes = {
    "GET /v1/leases": () => ({
      json: { leases: [leaseOf({ leaseId: LEASE, state: "ready" })], nextCursor: null },
    }),
    "GET /v1/operator/parties": () => ({ json: { parties: [PARTY] } }),
  };
});

/** As the shell would offer it after these words, the last one being under the cursor. */
const SHELLS: Readonly<Record<string, (words: readonly string[]) => Promise<string[]>>> = {
  bash: async (words) =>
    lines("bash", [
      "--norc",
      "-c",
      `source <(sublet completion bash); COMP_WORDS=(sublet "$@"); COMP_CWORD=$#; _sublet; printf '%s\\n' "\${COMPREPLY[@]}"`,
      "bash",
      ...words,
    ]),
  zsh: async (words) =>
    lines("zsh", [
      "-f",
      "-c",
      // compadd works at a line that is being edited; here it tells what it was given.
      `compdef() { :; }; compadd() { print -l -- "\${words_found[@]}"; }; source <(sublet completion zsh); words=(sublet "$@"); CURRENT=$(($# + 1)); _sublet`,
      "zsh",
      ...words,
    ]),
  fish: async (words) =>
    lines("fish", [
      "--no-config",
      "-c",
      `sublet completion fish | source; complete -C "sublet ${words.join(" ")}"`,
    ]),
};

async function lines(program: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(program, args, { env, cwd: folder.path });
  const words = stdout.split("\n").map((line) => line.split("\t")[0] ?? "");
  return words.filter((word) => word !== "");
}

describe.each(Object.keys(SHELLS))("%s completes", (shell) => {
  const complete = (...words: string[]) => SHELLS[shell]?.(words) ?? Promise.resolve([]);

  test("verbs, options and their choices", async () => {
    expect(await complete("le")).toEqual(["lease"]);
    expect(await complete("lease", "ex")).toEqual(["extend"]);
    expect(await complete("lease", "extend", "--ma")).toEqual(["--max-cost"]);
    expect(await complete("search", "--architecture", "aa")).toEqual(["aarch64"]);
  });

  test("ids and names that the server knows, as whoever is typing", async () => {
    expect(await complete("lease", "show", "lease_7")).toEqual([LEASE]);
    expect(await complete("run", "--lease", "lease_")).toEqual([LEASE]);
    expect(await complete("account", "deposit", "ac")).toEqual(["acme"]);
  });
});

describe("completion", () => {
  const complete = async (...words: string[]) => {
    const ran = await runCli(["__complete", "--", ...words], folder.path, {
      ...{ server: server.url, key: "right" },
    });
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    return ran.stdout.split("\n").filter((line) => line !== "");
  };

  test("offers no verb that is hidden", async () => {
    const words = await complete("");
    expect(words.some((word) => /^__complete\b/.test(word))).toBe(false);
    expect(words.some((word) => word.startsWith("lease\t"))).toBe(true);
  });

  test("is quiet when the server says no, does not answer or is not known", async () => {
    server.routes["GET /v1/leases"] = () => ({ hangUp: true });
    expect(await complete("lease", "show", "")).toEqual([]);
    const ran = await runCli(["__complete", "--", "lease", "show", ""], join(folder.path, "none"));
    expect(ran).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("leaves files to the shell, and new names to the person", async () => {
    expect(await complete("image", "add", "")).toEqual([":files"]);
    expect(await complete("usage", "export", "--output", "")).toEqual([":files"]);
    expect(await complete("host", "add", "")).toEqual([]);
    expect(await complete("run", "--lease", LEASE, "--", "")).toEqual([":files"]);
  });
});
