import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/**
 * A little world in network namespaces, none of which leads out of this computer:
 * `host` lends; behind its uplink is `public` with 9.9.9.9 and 1.1.1.1; on a second link is `lan`,
 * with a private address and with a public one that is the lender's. The public addresses are ones
 * that a strict filter lets through; here they are those of a namespace's loopback.
 */
export interface World {
  /** Runs a program on the lender's computer. */
  onHost(program: string, args: readonly string[]): Promise<string>;
  spawnOnHost(program: string, args: readonly string[]): ChildProcess;
  clear(): Promise<void>;
}

/** Where each answers on port 80, as the lender's computer itself sees it. */
export const PUBLIC_ADDRESS = "9.9.9.9";
export const LENDERS = {
  "the lender's network": "10.77.0.9",
  "the lender's network with public addresses": "8.8.4.9",
  "the host by its private address": "10.77.0.1",
  "the host by its public address": "8.8.4.1",
  "the host by its uplink's address": "192.168.77.2",
  "the uplink's router": "192.168.77.1",
} as const;

export async function makeWorld(): Promise<World> {
  const mark = `slt${process.pid}`;
  const names = ["host", "public", "lan"].map((name) => `${mark}-${name}`);
  const [host = "", open = "", lan = ""] = names;
  const servers: ChildProcess[] = [];
  const clear = async () => {
    for (const server of servers) {
      server.kill("SIGKILL");
      if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
    }
    for (const name of names) await execute("ip", ["netns", "delete", name]).catch(() => undefined);
  };
  try {
    await execute("/bin/bash", ["-euc", WORLD, "world", host, open, lan]);
    for (const name of [host, open, lan]) {
      const server = spawn("nsenter", within(name, process.execPath, [SERVER, name]), {
        stdio: ["ignore", "pipe", "inherit"],
      });
      servers.push(server);
      if (server.stdout) await once(server.stdout, "data");
    }
  } catch (error) {
    await clear();
    throw error;
  }
  return {
    onHost: async (program, args) =>
      (await execute("nsenter", within(host, program, args), { timeout: 60_000 })).stdout,
    spawnOnHost: (program, args) => spawn("nsenter", within(host, program, args)),
    clear,
  };
}

function within(name: string, program: string, args: readonly string[]): string[] {
  return [`--net=/run/netns/${name}`, "--", program, ...args];
}

const SERVER = join(import.meta.dirname, "internet-server.ts");
const WORLD = `
host=$1 open=$2 lan=$3
for name in "$@"; do ip netns add "$name"; ip -n "$name" link set lo up; done
ip -n "$host" link add uplink type veth peer name eth0 netns "$open"
ip -n "$host" link add lan type veth peer name eth0 netns "$lan"
ip -n "$host" address add 192.168.77.2/24 dev uplink
ip -n "$host" address add 10.77.0.1/24 dev lan
ip -n "$host" address add 8.8.4.1/24 dev lan
ip -n "$open" address add 192.168.77.1/24 dev eth0
ip -n "$open" address add 9.9.9.9/32 dev lo
ip -n "$open" address add 1.1.1.1/32 dev lo
ip -n "$lan" address add 10.77.0.9/24 dev eth0
ip -n "$lan" address add 8.8.4.9/24 dev eth0
ip -n "$host" link set uplink up; ip -n "$host" link set lan up
ip -n "$open" link set eth0 up; ip -n "$lan" link set eth0 up
ip -n "$host" route add default via 192.168.77.1
ip -n "$lan" route add default via 10.77.0.1
# Answers of the lender's network would come back, were a guest let in there.
ip netns exec "$host" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/lan/forwarding'
`;
