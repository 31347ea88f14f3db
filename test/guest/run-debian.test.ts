import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEBIAN_HOOK_MS, debian12 } from "./debian-12.ts";
import { type Market, openMarket } from "./market.ts";

/**
 * The operating system as a requirement, through server, file server and agent; and a detached run
 * where the user is not root, the shell is bash and the tools are GNU's.
 */

let market: Market;
let here: string;

beforeAll(async () => {
  const debian = await debian12();
  market = await openMarket("run-debian");
  const { verbs } = market;
  await verbs.do("image", "add", debian.folder, "--as", "operator");
  const size = ["--cpu", "1", "--memory", "512MiB", "--disk", "2GiB"];
  await verbs.do("partition", "set", "h1", "lend", ...size, "--as", "lender");
  here = join(market.folder, "here");
  mkdirSync(here);
}, DEBIAN_HOOK_MS);
afterAll(() => market?.close());

test("a lease that asks for Debian gets Debian and its user, and what that user leaves behind reaches its client after the lease", async () => {
  writeFileSync(join(here, "in.txt"), "in\n");
  const needs = ["--cpu", "1", "--memory", "512MiB", "--disk", "1GiB", "--os", "debian-12"];
  const job = ["--for", "10m", "--max-cost", "9.00", "--detach", "--keep", "8MiB", "--json"];
  const files = ["--put", "in.txt", "--get", "*.txt:back/"];
  const run = (argv: string[]) => market.sublet(["run", ...argv, "--as", "client"], { cwd: here });
  const line = `cat /etc/os-release /proc/1/comm > what.txt; id -un > who.txt
tr a-z A-Z < in.txt > out.txt; exit 5`;
  const begun = await market.sublet(
    ["run", ...needs, ...job, ...files, "--as", "client", "--", line],
    { cwd: here },
  );
  expect(begun.exitCode, begun.stderr).toBe(0);
  const { runId } = begun.json<{ runId: string }>();
  const waited = await run(["wait", runId]);
  expect(waited.exitCode, waited.stderr).toBe(5);
  const back = (name: string) => readFileSync(join(here, "back", name), "utf8");
  expect(back("what.txt")).toMatch(/^ID=debian$[\s\S]*^systemd$/m);
  expect([back("who.txt"), back("out.txt"), back("in.txt")]).toEqual(["debian\n", "IN\n", "in\n"]);
});
