import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readLease } from "../../src/agent/lease/store.ts";
import type { RunningAgent } from "../../src/agent/main.ts";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { chooseWay } from "../../src/cli/ssh/choose-way.ts";
import { systemClock } from "../../src/unit/clock.ts";
import type { LeaseId } from "../../src/unit/id.ts";
import { ownEnvironment, sublet } from "../guest/sublet.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type Market, openMarket } from "./fake-host.ts";
import { startTestServer, type TestServer } from "./harness.ts";
import { standIn, startRelayedAgent } from "./relayed.ts";
import { type Sshd, startSshd } from "./sshd.ts";

/** A person's programs, each its own process, against OpenSSH's server behind the relay. */

const isRoot = process.getuid?.() === 0;
const folder = makeTempFolder("relay ssh");
/** With a blank, as folders of people have. */
const configFolder = join(folder.path, "con fig");
const aliasConfig = join(folder.path, "ssh config");
const file = join(folder.path, "some file.bin");
let server: TestServer;
let market: Market;
let agent: RunningAgent;
let sshd: Sshd;
let leaseId: LeaseId;
let access: NonNullable<LeaseView["access"]>;

const cli = (argv: string[], options: { stdin?: string } = {}) =>
  sublet(argv, { ...options, env: { SUBLET_CONFIG: configFolder, SUBLET_AS: "me" } });

beforeAll(async () => {
  if (!isRoot) return;
  server = await startTestServer();
  market = await openMarket(server);
  const port = await freePort();
  const options = { access: "relay" } as const;
  ({ agent } = await startRelayedAgent(market.lender, folder.path, () => port, options));
  const { key } = await server.operator.call("addKey", {
    params: { party: "client" },
    body: { label: "laptop" },
  });
  mkdirSync(configFolder, { mode: 0o700 });
  const login = ["login", server.url, "--key", key, "--as", "me"];
  expect((await cli(login)).exitCode).toBe(0);
  const wish = "--cpu 1 --memory 1GiB --disk 1GiB --os small-linux --for 1h --yes --wait --json";
  const booked = await cli(["lease", "create", ...wish.split(" ")]);
  const lease = booked.json<LeaseView>();
  leaseId = lease.leaseId;
  if (lease.access === null) throw new Error("there is no way in");
  access = lease.access;
  sshd = await startSshd(folder.path, {
    port,
    hostKey: readLease(agent.context.db, leaseId)?.hostKeyPrivate ?? "",
    authorizedKey: readFileSync(join(configFolder, "ssh/me/id_ed25519.pub"), "utf8").trim(),
  });
  writeFileSync(file, Buffer.alloc(3_000_000, "not all the same "));
  const { exitCode, stdout } = await cli(["ssh-config", leaseId, "--name", "training"]);
  expect(exitCode).toBe(0);
  const include = /^ {2}(Include .*)$/m.exec(stdout)?.[1] ?? "";
  writeFileSync(aliasConfig, `${include}\n`, { mode: 0o600 });
}, 120_000);
afterAll(async () => {
  await sshd?.stop();
  await agent?.stop();
  await server?.stop();
  folder.remove();
});

/** A program that knows nothing of Sublet but the alias. */
function use(program: string, ...args: string[]) {
  const config = program === "rsync" ? [] : ["-F", aliasConfig];
  return spawnedText(program, [...config, ...args]);
}

async function spawnedText(program: string, args: string[], stdin = "") {
  const child = spawn(program, args, { env: ownEnvironment() });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(stdin);
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, text };
}

const isSame = (path: string) => readFileSync(path).equals(readFileSync(file));

test.runIf(isRoot)("the access says that nobody dials this host, and how it is reached", () => {
  expect(access).toMatchObject({ direct: false, address: "127.0.0.1" });
});

test.runIf(isRoot)(
  "run, ssh and cp go through the relay where the host is not to be dialled",
  async () => {
    const ran = await cli(["run", "--lease", leaseId, "--", "sh", "-c", "cat; exit 7"], {
      stdin: "typed",
    });
    expect([ran.exitCode, ran.stdout], ran.stderr).toEqual([7, "typed"]);
    const shell = await cli(["ssh", "--relay", leaseId, "--", "echo $SSH_CONNECTION"]);
    expect(shell.stdout, shell.stderr).toContain(`127.0.0.1 ${access.port}`);
    const target = join(folder.path, "copied");
    const copied = await cli(["cp", file, `${leaseId}:${target}`]);
    expect(copied.exitCode, copied.stderr).toBe(0);
    expect(isSame(target)).toBe(true);
  },
);

test.runIf(isRoot)(
  "ssh finds the lease by its alias and by its id, and the key is pinned",
  async () => {
    for (const name of ["training", leaseId]) {
      expect(await use("ssh", name, "echo hello")).toEqual({ exitCode: 0, text: "hello\n" });
    }
    const known = join(configFolder, "leases", leaseId, "known_hosts");
    const right = readFileSync(known, "utf8");
    writeFileSync(
      known,
      right.replace(/AAAA.{20}/, `AAAAC3NzaC1lZDI1NTE5AAAA`).replace(/.{4}\n$/, "AAAA\n"),
    );
    const refused = await use("ssh", "training", "echo hello");
    writeFileSync(known, right);
    expect(refused.exitCode).toBe(255);
    expect(refused.text).not.toContain("hello\n");
  },
);

test.runIf(isRoot)("scp, sftp and rsync copy through it as it is", async () => {
  const [byScp, bySftp, byRsync] = ["scp", "sftp", "rsync"].map((name) => join(folder.path, name));
  expect(await use("scp", "-q", file, `training:${byScp}`)).toEqual({ exitCode: 0, text: "" });
  expect(isSame(byScp ?? "")).toBe(true);
  const batch = join(folder.path, "batch");
  writeFileSync(batch, `put "${file}" "${bySftp}"\n`);
  expect(await use("sftp", "-b", batch, "training")).toMatchObject({ exitCode: 0 });
  expect(isSame(bySftp ?? "")).toBe(true);
  const through = ["-e", `ssh -F '${aliasConfig}'`];
  expect(await use("rsync", ...through, file, `training:${byRsync}`)).toEqual({
    exitCode: 0,
    text: "",
  });
  expect(isSame(byRsync ?? "")).toBe(true);
  const back = join(folder.path, "back");
  expect(await use("rsync", ...through, `training:${byRsync}`, back)).toEqual({
    exitCode: 0,
    text: "",
  });
  expect(isSame(back)).toBe(true);
});

test.runIf(isRoot)("a port is forwarded", async () => {
  const inside = await standIn((socket) => socket.end("from inside"));
  const local = await freePort();
  const forward = `127.0.0.1:${local}:127.0.0.1:${inside.port}`;
  const child = spawn("ssh", ["-F", aliasConfig, "-N", "-L", forward, "training"], {
    env: ownEnvironment(),
  });
  await vi.waitFor(
    async () => {
      const { text } = await spawnedText("bash", ["-c", `cat < /dev/tcp/127.0.0.1/${local}`]);
      expect(text).toBe("from inside");
    },
    { timeout: 20_000, interval: 200 },
  );
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  await inside.close();
});

test.runIf(isRoot)(
  "direct is where the guest with the pinned key answers, and that is remembered",
  async () => {
    const input = { configFolder: join(folder.path, "ways"), clock: systemClock };
    const { direct: _, ...open } = access;
    const note = join(input.configFolder, "leases", leaseId, "way");
    const other = { ...open, hostKey: `ssh-ed25519 ${"B".repeat(68)}` };
    // Somebody listens there, but it is not the guest: this may be any computer's 127.0.0.1.
    expect(await chooseWay(input, other, "auto")).toBe("relay");
    expect(readFileSync(note, "utf8")).toMatch(/^relay /);
    // For a minute, whatever is there.
    expect(await chooseWay(input, open, "auto")).toBe("relay");
    writeFileSync(note, "");
    expect(await chooseWay(input, open, "auto")).toBe("direct");
    expect(readFileSync(note, "utf8")).toMatch(/^direct /);
    expect(await chooseWay(input, other, "auto")).toBe("direct");
    // What is remembered is of that address: a dead one is found dead.
    expect(await chooseWay(input, { ...open, port: 1 }, "auto")).toBe("relay");
    expect(await chooseWay(input, access, "auto")).toBe("relay");
    expect(await chooseWay(input, access, "direct")).toBe("direct");
  },
);

test.runIf(isRoot)(
  "the entry needs no more than its line, is private, and is removed when asked",
  async () => {
    const entry = join(configFolder, "leases", leaseId, "ssh_config");
    const text = readFileSync(entry, "utf8");
    expect(statSync(entry).mode & 0o777).toBe(0o600);
    expect(text).not.toContain("sublet_");
    const told = spawnSync("ssh", ["-F", aliasConfig, "-G", "training"], { encoding: "utf8" });
    expect(told.stdout.split("\n")).toEqual(
      expect.arrayContaining([
        `hostkeyalias ${leaseId}`,
        `userknownhostsfile ${configFolder}/leases/${leaseId}/known_hosts`,
        `identityfile ${configFolder}/ssh/me/id_ed25519`,
        "stricthostkeychecking true",
      ]),
    );
    expect((await cli(["ssh-config", leaseId, "--remove"])).exitCode).toBe(0);
    expect(existsSync(entry)).toBe(false);
    expect((await cli(["ssh-config", leaseId])).stdout).toContain(
      `ssh sublet-${leaseId.slice(-6)}`,
    );
    expect(existsSync(entry)).toBe(true);
  },
);

test.runIf(isRoot)("when the lease ends, a session ends with it, and the entry goes", async () => {
  const entry = join(configFolder, "leases", leaseId, "ssh_config");
  // Whoever has gone has told the host so: nothing is left of all that went before.
  await vi.waitFor(() => expect(agent.context.tunnels.count(leaseId)).toBe(0), { timeout: 10_000 });
  const alias = `sublet-${leaseId.slice(-6)}`;
  const session = use("ssh", alias, "echo in; sleep 60");
  await vi.waitFor(() => expect(agent.context.tunnels.count(leaseId)).toBe(1), { timeout: 20_000 });
  await market.client.call("endLease", { params: { leaseId } });
  const { exitCode, text } = await session;
  expect(exitCode).toBe(255);
  expect(text).toContain("has ended");
  expect(existsSync(entry)).toBe(false);
  const after = await cli(["ssh", leaseId, "--", "true"]);
  expect(after.exitCode).toBe(255);
  expect(after.stderr).toContain("there is no way in");
});

async function freePort(): Promise<number> {
  const { port, close } = await standIn((socket) => socket.destroy());
  await close();
  return port;
}
