import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { hireJanitor } from "./janitor.ts";
import { makeNetworks, type Networks, type Place } from "./networks.ts";
import { until } from "./processes.ts";
import { smallLinux } from "./small-linux.ts";
import { type Ran, type RunOptions, sublet } from "./sublet.ts";

/**
 * A client and a host, each behind a router of its own that hides it, and a server between: the
 * client has no way to the host but through the server. One real guest, from its boot to its wipe.
 */

const isRoot = process.getuid?.() === 0;
const PORT = 7070;

const temporary = makeTempFolder("relay-guest");
const { path: folder } = temporary;
const janitor = hireJanitor(folder);
const configFolder = join(folder, DEMO_PARTS.config);
const agentFolder = join(folder, DEMO_PARTS.agent);
let networks: Networks;
let server: Daemon;
let agent: Daemon;
let lease: Response<"bookLease">;

const as = (place: () => Place, profile: string) => {
  return (argv: string[], options: RunOptions = {}): Promise<Ran> =>
    sublet(argv, {
      ...options,
      within: place().within,
      env: { SUBLET_CONFIG: configFolder, SUBLET_AS: profile, ...options.env },
    });
};
const operator = as(() => networks.server, "operator");
const lender = as(() => networks.server, "lender");
const client = as(() => networks.client, "client");

async function done(ran: Promise<Ran>): Promise<Ran> {
  const { exitCode, stdout, stderr } = await ran;
  expect(exitCode, `${stdout}${stderr}`).toBe(0);
  return ran;
}

beforeAll(async () => {
  if (!isRoot) return;
  const image = await smallLinux();
  networks = await makeNetworks();
  const listen = ["--listen", `0.0.0.0:${PORT}`];
  server = createDaemon(
    ["server", "--data", join(folder, DEMO_PARTS.server), ...listen],
    join(folder, "server.log"),
    networks.server.within,
  );
  agent = createDaemon(
    ["agent", "--data", agentFolder, "--server-url", `http://${networks.serverForHost}:${PORT}`],
    join(folder, "agent.log"),
    networks.host.within,
  );
  const { operatorKey } = await server.start<{ operatorKey: string }>();
  const url = `http://127.0.0.1:${PORT}`;
  await done(operator(["login", url, "--key", operatorKey, "--as", "operator"]));
  for (const role of ["lender", "client"]) {
    const added = await done(operator(["party", "add", role, "--role", role, "--json"]));
    const { key } = added.json<{ key: string }>();
    const at = role === "client" ? `http://${networks.serverForClient}:${PORT}` : url;
    const there = role === "client" ? client : lender;
    await done(there(["login", at, "--key", key, "--as", role]));
  }
  await done(operator(["account", "deposit", "client", "10.00"]));
  await done(operator(["image", "add", image]));
  const added = await done(lender(["host", "add", "h1", "--json"]));
  await agent.start("--join", added.json<{ joinToken: string }>().joinToken);
  const size = ["--cpu", "1", "--memory", "256MiB", "--disk", "128MiB"];
  await until("the partition is lent", async () => {
    const set = await lender(["partition", "set", "h1", "lend", "--lendable", ...size]);
    return set.exitCode === 0 ? set : undefined;
  });
  const prices = ["--price-core", "36.00/h", "--min-lease", "1m", "--max-lease", "1d"];
  await done(lender(["offer", "set", "h1", "lend", ...prices]));
  const wish =
    "--cpu 1 --memory 192MiB --disk 64MiB --os small-linux --for 10m --yes --wait --json";
  const booked = await done(client(["lease", "create", ...wish.split(" ")]));
  lease = booked.json();
}, 240_000);

afterAll(async () => {
  await agent?.stop();
  await server?.stop();
  await cleanUp(folder);
  await networks?.remove();
  temporary.remove();
  janitor.dismiss();
});

test.runIf(isRoot)(
  "a client behind a router gets into a guest behind another: by the relay, and only so",
  async () => {
    const { leaseId, access } = lease;
    if (access === null) throw new Error("there is no way in");
    const ran = await client(["run", "--lease", leaseId, "--", "echo hello from; cat"], {
      stdin: "behind",
    });
    expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([0, "hello from\nbehind"]);
    const direct = await client(["ssh", "--direct", leaseId, "--", "true"]);
    expect(direct.exitCode).toBe(255);
    // Nor under the address that the host has at home.
    const dialled = await sublet(
      ["login", `http://${networks.hostAddress}:${access.port}`, "--key", "k"],
      {
        within: ["timeout", "3", ...networks.client.within],
        env: { SUBLET_CONFIG: join(folder, "nobody") },
      },
    );
    expect(dialled.exitCode).not.toBe(0);
  },
);

test.runIf(isRoot)("files go there and back through it as they were", async () => {
  const file = join(folder, "file");
  const content = randomBytes(2_000_000);
  writeFileSync(file, content);
  await done(client(["cp", file, `${lease.leaseId}:there`]));
  const sum = await done(client(["run", "--lease", lease.leaseId, "--", "sha256sum", "there"]));
  expect(sum.stdout).toContain(createHash("sha256").update(content).digest("hex"));
  await done(client(["cp", `${lease.leaseId}:there`, `${file}.back`]));
  expect(readFileSync(`${file}.back`).equals(content)).toBe(true);
});

test.runIf(isRoot)("a session goes on over a server that is killed and started again", async () => {
  const counting = "i=0; while [ $i -lt 12 ]; do i=$((i+1)); echo $i; sleep 1; done";
  const session = client(["run", "--lease", lease.leaseId, "--", counting]);
  await sleep(4_000);
  await server.kill();
  await sleep(1_000);
  await server.start();
  const { exitCode, stdout, stderr } = await session;
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toBe(Array.from({ length: 12 }, (_, i) => `${i + 1}\n`).join(""));
});

test.runIf(isRoot)(
  "nobody's key is ever in an image, and after the wipe none of the lease's is on the host",
  async () => {
    const { leaseId } = lease;
    const publicKey = readFileSync(join(configFolder, "ssh/client/id_ed25519.pub"), "utf8");
    const hostKey = lease.access?.hostKey ?? "";
    const secrets = [publicKey, hostKey].map((line) => line.split(" ")[1] ?? "");
    expect(secrets.every((secret) => secret.length === 68)).toBe(true);
    const images = [join(folder, DEMO_PARTS.server, "images"), join(agentFolder, "images")];
    for (const place of images) {
      const files = filesIn(place);
      expect(files.length, place).toBeGreaterThan(0);
      expect(filesWith(files, secrets)).toEqual([]);
      // What makes a private key is never part of a system that others boot.
      expect(filesWith(files, ["BEGIN OPENSSH PRIVATE KEY"])).toEqual([]);
    }
    const guests = join(agentFolder, "guests");
    // While it runs its own folder has them: this search does find what is there.
    expect(filesWith(filesIn(guests), secrets).length).toBeGreaterThan(0);
    await done(client(["lease", "end", leaseId, "--wait"]));
    expect(filesWith(filesIn(guests), secrets)).toEqual([]);
    expect(filesWith(filesIn(agentFolder), ["BEGIN OPENSSH PRIVATE KEY"])).toEqual([]);
    const refused = await client(["ssh", leaseId, "--", "true"]);
    expect(refused.exitCode).toBe(255);
    expect(refused.stderr).toContain("there is no way in");
  },
);

function filesIn(place: string): string[] {
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function filesWith(files: readonly string[], texts: readonly string[]): string[] {
  return files.filter((path) => {
    const content = readFileSync(path);
    return texts.some((text) => content.includes(text));
  });
}
