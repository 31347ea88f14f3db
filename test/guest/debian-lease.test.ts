import { afterAll, beforeAll, expect, test } from "vitest";
import { DEBIAN_HOOK_MS, debian12 } from "./debian-12.ts";
import { type Lease, type Market, openMarket } from "./market.ts";

/** The operating system as a requirement, through server, file server and agent. */

let market: Market;
let lease: Lease;

beforeAll(async () => {
  const debian = await debian12();
  market = await openMarket("debian-lease");
  const { verbs } = market;
  await verbs.do("image", "add", debian.folder, "--as", "operator");
  const size = ["--cpu", "1", "--memory", "512MiB", "--disk", "1GiB"];
  await verbs.do("partition", "set", "h1", "lend", ...size, "--as", "lender");
  const wish = [...size, "--os", "debian-12", "--for", "10m", "--yes", "--wait"];
  lease = await verbs.do<Lease>("lease", "create", ...wish, "--as", "client");
}, DEBIAN_HOOK_MS);
afterAll(() => market?.close());

test("a lease that asks for Debian gets Debian, and its client the user that Debian has", async () => {
  const run = ["run", "--lease", lease.leaseId, "--as", "client", "--"];
  const said = await market.sublet([...run, "cat /etc/os-release /proc/1/comm; whoami"]);
  expect(said.stdout).toMatch(/^ID=debian$[\s\S]*^systemd\ndebian$/m);
});
