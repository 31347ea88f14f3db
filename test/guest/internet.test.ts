import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GuestSpec } from "../../src/partition/driver.ts";
import { createQemuDriver } from "../../src/partition/qemu/driver.ts";
import { GUEST_LINK, UP_LINK } from "../../src/partition/qemu/internet/name.ts";
import {
  ROUTER_ADDRESS,
  RULES_FORWARDING,
  rulesInside,
  rulesOutside,
} from "../../src/partition/qemu/internet/rules.ts";
import { LAY, REMOVE } from "../../src/partition/qemu/internet/script.ts";
import { LENDERS, makeWorld, PUBLIC_ADDRESS, type World } from "./internet-world.ts";
import { MIB, type OwnGuests, ownGuests } from "./own-guest.ts";

/**
 * Every question goes to a driver of its own, which is gone when it has answered: whatever holds
 * here holds without an agent that remembers.
 */
const DRIVER = join(import.meta.dirname, "internet-driver.ts");
const isRoot = process.getuid?.() === 0;
let world: World;
let own: OwnGuests;
const ports = new Map<string, number>();

describe.runIf(isRoot)("guests and the internet", () => {
  beforeAll(async () => {
    own = await ownGuests();
    world = await makeWorld();
    await Promise.all([boot("out", true, 0), boot("other", true, 1), boot("in", false, 2)]);
    for (const guestId of ports.keys()) await untilAnswers(guestId);
  }, 120_000);

  afterAll(async () => {
    for (const guestId of ports.keys()) {
      await ask("stop", guestId);
      await ask("wipe", guestId);
    }
    // A test that failed halfway leaves what it killed.
    await world?.onHost("/bin/bash", ["-euc", REMOVE, "sublet", KILLED]).catch(() => undefined);
    await world?.clear();
    await own?.clear();
  });

  test("a guest with the internet reaches public addresses, by number and by name", async () => {
    expect(await reached("out", [PUBLIC_ADDRESS])).toEqual(["public"]);
    expect(await inGuest("out", "wget -q -O - http://somewhere.example/")).toMatch(/-public/);
  });

  test("it reaches neither the lender's network, the host, its loopback nor another agent's guest", async () => {
    for (const address of Object.values(LENDERS)) {
      expect(await onHostReached(address)).toMatch(/this is/);
    }
    const loopback = ["127.0.0.1", "10.0.2.2", "10.0.2.3", "10.0.3.2"];
    const links = (await world.onHost("ip", ["-4", "-o", "address", "show"])).matchAll(
      /(198\.1[89]\.\d+)\.(\d+)\/31/g,
    );
    const pairs = [...links].flatMap(([, start, last]) => [
      `${start}.${last}`,
      `${start}.${Number(last) + 1}`,
    ]);
    expect(pairs).toHaveLength(4);
    const targets = [PUBLIC_ADDRESS, ...Object.values(LENDERS), ...loopback, ...pairs];
    expect(await reached("out", targets)).toEqual(["public"]);
    const others = ports.get("other");
    expect(await inGuest("out", tries(["10.0.2.2", ...pairs], others))).not.toMatch(/SSH-/);
  });

  test("nor under an address that is not its own, nor by IPv6", async () => {
    const as = "ip addr add 8.8.4.50/24 dev eth1; ip addr add 10.77.0.50/24 dev eth1";
    const back = "ip addr del 8.8.4.50/24 dev eth1; ip addr del 10.77.0.50/24 dev eth1";
    const said = await inGuest("out", `${as}; ${tries(Object.values(LENDERS))}; ${back}`);
    expect(said).not.toMatch(/this is/);
    const neighbours =
      "echo 0 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6; ping -6 -c 2 -w 2 ff02::1%eth1";
    const answered = await inGuest("out", `(${neighbours}) 2>&1; true`);
    const itself = "fe80::5054:ff:fe12:3457";
    expect([...answered.matchAll(/bytes from (\S+):/g)].every(([, who]) => who === itself)).toBe(
      true,
    );
  });

  test("a guest without it reaches nothing, whatever it tries", async () => {
    const routed = "ip route replace default via 10.0.2.2";
    const targets = [PUBLIC_ADDRESS, ...Object.values(LENDERS), "10.0.2.2"];
    expect(await inGuest("in", `${routed}; ${tries(targets)}; ip -o link`)).not.toMatch(
      /this is|eth1/,
    );
  });

  test("its process is as unprivileged and sandboxed as any guest's", async () => {
    const { processId } = (await ask("observe", "out")) as { processId: string };
    const status = readFileSync(`/proc/${processId.split(":")[1]}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t64200\t64200\t64200/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  test("a firewall that is flushed opens nothing, and what it took comes back", async () => {
    await world.onHost("nft", ["flush", "ruleset"]);
    expect(await reached("out", Object.values(LENDERS))).toEqual([]);
    await ask("observe", "out");
    await ask("observe", "other");
    expect(await reached("out", [PUBLIC_ADDRESS, ...Object.values(LENDERS)])).toEqual(["public"]);
  });

  test("an address that the host is given later is kept from guests too", async () => {
    await world.onHost("ip", ["address", "add", "8.8.5.1/24", "dev", "lan"]);
    expect(await onHostReached("8.8.5.1")).toMatch(/this is/);
    expect(await reached("out", ["8.8.5.1", PUBLIC_ADDRESS])).toEqual(["public"]);
  });

  test("a process that died is started again, with its way in and its filter as they were", async () => {
    const { processId } = (await ask("observe", "out")) as { processId: string };
    process.kill(Number(processId.split(":")[1]), "SIGKILL");
    const port = ports.get("out");
    await boot("out", true, 0);
    expect(ports.get("out")).toBe(port);
    await untilAnswers("out");
    expect(await reached("out", [PUBLIC_ADDRESS, ...Object.values(LENDERS)])).toEqual(["public"]);
  });

  test("killed between any two steps, it leaves no link without the filter and nothing to stay", async () => {
    const name = KILLED;
    const surroundings = { uplinks: ["uplink"], lender: ["8.8.4.0/24"] };
    const rules = [rulesInside(surroundings), rulesOutside(name, surroundings), RULES_FORWARDING];
    const lay = [name, ...rules, ROUTER_ADDRESS, "uplink"];
    const before = await leftOnHost();
    let steps = 0;
    for (let whole = false; !whole; steps++) {
      whole = await ranWhole(LAY, lay, steps);
      const check = `enter() { nsenter --net=/run/netns/${name} -- "$@"; }
        enter ip link show ${GUEST_LINK} || enter ip link show ${UP_LINK} || exit 0
        enter nft list chain inet sublet forward | grep -q "policy drop" || echo unfiltered`;
      expect(await world.onHost("/bin/bash", ["-c", `${check} 2>/dev/null`])).not.toMatch(
        /unfiltered/,
      );
      await ranWhole(REMOVE, [name], steps % 12);
      expect(await ranWhole(REMOVE, [name])).toBe(true);
      expect(await leftOnHost()).toEqual(before);
    }
    expect(steps).toBeGreaterThan(30);
  });

  test("without root it is refused by name, with the way out", async () => {
    const facts = await ask("probe", null, 65_534);
    expect(facts).toMatchObject({
      internet: false,
      internetReason: expect.stringMatching(/run the agent as root/),
    });
    const internet = { works: false, reason: "only root may" };
    const without = createQemuDriver({ folder: folderOf("never"), log: () => undefined, internet });
    const boot = without.boot(spec("never", true, 3));
    await expect(boot).rejects.toMatchObject({ code: "internet-unsupported" });
    expect(await without.wipe("never")).toMatchObject({ files: expect.any(Number) });
  });

  test("with root a host says that it can, and nothing is left of the trial", async () => {
    const before = await leftOnHost();
    expect(await ask("probe", null)).toMatchObject({ internet: true });
    expect(await leftOnHost()).toEqual(before);
  });

  test("after the wipe nothing is left: no namespace, no link, no rule, no forwarding", async () => {
    expect((await leftOnHost()).join()).toMatch(/sublet/);
    for (const guestId of ["out", "other"]) {
      await ask("stop", guestId);
      expect(await ask("wipe", guestId)).toMatchObject({ files: expect.any(Number) });
      expect(await ask("wipe", guestId)).toEqual({ files: 0, bytes: 0 });
    }
    expect(await leftOnHost()).toEqual([]);
    const forwarding = "/proc/sys/net/ipv4/conf/uplink/forwarding";
    expect((await world.onHost("cat", [forwarding])).trim()).toBe("0");
  });
});

/** Runs a script, or ends it by force before the step with this number; says whether it was whole. */
async function ranWhole(script: string, args: readonly string[], steps = 1000): Promise<boolean> {
  const killer = `set -T; step=0; trap '((step++ < ${steps})) || kill -9 $$' DEBUG; `;
  const ran = world.onHost("/bin/bash", ["-euc", killer + script, "sublet", ...args]);
  return ran.then(
    () => true,
    (error: { signal?: string; stderr?: string }) => {
      if (error.signal === "SIGKILL") return false;
      throw error;
    },
  );
}

const KILLED = "subletffffffff0";

/** Of this product's names: namespaces, links and tables. */
async function leftOnHost(): Promise<readonly string[]> {
  const links = await world.onHost("ip", ["-o", "link"]);
  const tables = await world.onHost("nft", ["list", "tables"]);
  const found = [...`${links} ${tables}`.matchAll(/sublet[0-9a-f_]\w+/g)].map(([name]) => name);
  const spaces = readdirSync("/run/netns").filter((name) => found.includes(name));
  return [...new Set([...found, ...spaces])].sort();
}

/** The guest named so is another agent's. */
function folderOf(guestId: string): string {
  return join(own.folder, guestId === "other" ? "guests-of-another" : "guests");
}

async function ask(method: string, argument: unknown, uid?: number): Promise<unknown> {
  const guestId = (argument as { guestId?: string } | null)?.guestId ?? argument;
  const args = [DRIVER, folderOf(`${guestId}`), method, JSON.stringify(argument)];
  const said = await world.onHost(process.execPath, uid === undefined ? args : [...args, `${uid}`]);
  return JSON.parse(said);
}

function spec(guestId: string, internet: boolean, number: number): GuestSpec {
  const size = { cpuMilli: 1000, memoryBytes: 128 * MIB, diskBytes: 0 };
  const made = own.spec({ guestId, size, cores: [], uid: 64_200 + number, internet });
  return { ...made, access: { ...made.access, port: ports.get(guestId) ?? 0 } };
}

async function boot(guestId: string, internet: boolean, number: number): Promise<void> {
  const booted = (await ask("boot", spec(guestId, internet, number))) as { port?: number };
  if (booted.port === undefined) throw new Error(JSON.stringify(booted));
  ports.set(guestId, booted.port);
}

async function untilAnswers(guestId: string): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(300)) {
    if ((await ask("answers", guestId)) === true) return;
  }
  throw new Error(`${guestId} does not answer`);
}

/** Tries all at once, as most of them never answer. */
function tries(addresses: readonly string[], port = 80): string {
  const each = addresses.map((address) => `(nc -w 2 ${address} ${port} </dev/null 2>&1 &)`);
  return `${each.join("; ")}; sleep 2.5; true`;
}

/** Who answered, of all that were tried. */
async function reached(guestId: string, addresses: readonly string[]): Promise<string[]> {
  const said = await inGuest(guestId, tries(addresses));
  return [...said.matchAll(/this is \w+-(\w+)/g)].map((match) => match[1] ?? "").sort();
}

function onHostReached(address: string): Promise<string> {
  const get = `fetch("http://${address}/").then((r) => r.text()).then((t) => process.stdout.write(t))`;
  return world.onHost(process.execPath, ["-e", get]);
}

/** By the way in, with the host key that was given. */
function inGuest(guestId: string, command: string): Promise<string> {
  return world.onHost("ssh", [
    ...["-F", "none", "-i", join(own.folder, "client"), "-p", `${ports.get(guestId)}`],
    ...["-o", "IdentitiesOnly=yes", "-o", "HostKeyAlias=the-guest", "-o", "BatchMode=yes"],
    ...["-o", `UserKnownHostsFile=${join(own.folder, "known_hosts")}`, "-o", "ConnectTimeout=10"],
    ...["-o", "StrictHostKeyChecking=yes", "root@127.0.0.1", command],
  ]);
}
