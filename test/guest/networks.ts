import { existsSync } from "node:fs";
import { run } from "../../tools/small-linux/run.ts";

/** Where a program runs: `nsenter` keeps everything but the network. */
export interface Place {
  readonly within: readonly string[];
}

export interface Networks {
  readonly client: Place;
  readonly server: Place;
  readonly host: Place;
  /** As the client and as the host reach the server. */
  readonly serverForClient: string;
  readonly serverForHost: string;
  /** The host's address behind its router: nobody outside has a route to it. */
  readonly hostAddress: string;
  remove(): Promise<void>;
}

/**
 * Five networks in a row: client, its router, server, the host's router, host. Both routers hide
 * what is behind them, as at home, and let nothing in that was not asked for from inside; the server
 * forwards nothing.
 */
export async function makeNetworks(): Promise<Networks> {
  await removeLeft();
  const nameOf = (part: string) => `sublet-${process.pid}-${part}`;
  const parts = ["client", "near", "server", "far", "host"];
  const placeOf = (part: string): Place => ({
    within: ["nsenter", `--net=/run/netns/${nameOf(part)}`],
  });
  const inside = (part: string, ...command: string[]) =>
    run("nsenter", [...placeOf(part).within.slice(1), ...command]);
  const remove = async () => {
    for (const part of parts)
      await run("ip", ["netns", "del", nameOf(part)]).catch(() => undefined);
  };
  const link = async (left: string, right: string, network: string, leftIsFirst: boolean) => {
    const [a, b] = [`to-${right}`, `to-${left}`];
    const peer = ["peer", "name", b, "netns", nameOf(right)];
    await run("ip", ["link", "add", a, "netns", nameOf(left), "type", "veth", ...peer]);
    const [first, second] = leftIsFirst ? ["1", "2"] : ["2", "1"];
    await inside(left, "ip", "address", "add", `${network}.${first}/24`, "dev", a);
    await inside(right, "ip", "address", "add", `${network}.${second}/24`, "dev", b);
    await inside(left, "ip", "link", "set", a, "up");
    await inside(right, "ip", "link", "set", b, "up");
  };
  try {
    for (const part of parts) {
      await run("ip", ["netns", "add", nameOf(part)]);
      await inside(part, "ip", "link", "set", "lo", "up");
    }
    await link("near", "client", "10.91.1", true);
    await link("server", "near", "10.91.2", true);
    await link("server", "far", "10.91.3", true);
    await link("far", "host", "10.91.4", true);
    for (const [router, outward, way] of [
      ["near", "to-server", "10.91.2.1"],
      ["far", "to-server", "10.91.3.1"],
    ] as const) {
      await inside(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
      await inside(router, "ip", "route", "add", "default", "via", way);
      await inside(router, "nft", rules(outward));
    }
    await inside("client", "ip", "route", "add", "default", "via", "10.91.1.1");
    await inside("host", "ip", "route", "add", "default", "via", "10.91.4.1");
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...{ client: placeOf("client"), server: placeOf("server"), host: placeOf("host"), remove },
    ...{ serverForClient: "10.91.2.1", serverForHost: "10.91.3.1", hostAddress: "10.91.4.2" },
  };
}

/** Of test runs that were killed: their process is no more. */
async function removeLeft(): Promise<void> {
  const listed = (await run("ip", ["netns", "list"])).toString();
  for (const [name, pid] of listed.matchAll(/^sublet-(\d+)-[a-z]+/gm)) {
    if (!existsSync(`/proc/${pid}`)) await run("ip", ["netns", "del", name]);
  }
}

function rules(outward: string): string {
  return `table ip home {
    chain out { type nat hook postrouting priority srcnat; oifname "${outward}" masquerade; }
    chain in { type filter hook forward priority filter; policy drop;
      ct state established,related accept
      iifname != "${outward}" accept
    }
  }`;
}
