import { join } from "node:path";
import type { Response } from "../../../api/contract/contract.ts";
import { createQemuDriver } from "../../../partition/qemu/driver.ts";
import { enrolled } from "../open-market.ts";
import type { OpenedServer } from "../open-server.ts";
import type { Play, Timed } from "../story.ts";

/** A host with one core in use and one in standby; its guests are its owner's own. */
export interface StandbyHost {
  readonly hostId: string;
  /** Null: it can share cpu. */
  readonly notShared: string | null;
  /** At its agent, as its owner would type it there; told. */
  tell<T>(...argv: string[]): Promise<T>;
  /** The same, for what is looked up in passing. */
  ask<T>(...argv: string[]): Promise<T>;
  /** Runs a command in a guest, with a way in of its own. Gives what it said. */
  inside(partition: string, command: string): Promise<string>;
  /** What the kernel has counted for a guest, in nanoseconds, without asking the agent. */
  kernelNs(guestId: string): Promise<bigint>;
}

export const HOST = "h2";
export const OWNER = ["--as", "owner"];
export const VENDOR = ["--as", "vendor"];

/** Others bill by month; of that nobody would see an end here. */
export const PERIOD_SECONDS = 20;

/** Who sells, on what terms, and the host. `cores`: the last of them is in standby. */
export async function openStandbyHost(
  play: Play,
  server: OpenedServer,
  timed: Timed,
  cores: readonly number[],
): Promise<StandbyHost> {
  const { stage, teller } = play;
  const { verbs } = stage;
  teller.say("The operator lets in the host's owner, and a vendor, who sells standby capacity.");
  await server.letIn("owner", "lender");
  await server.letIn("vendor", "provider");
  const price = ["--price", "36.00/h", "--period", `${PERIOD_SECONDS}s`];
  const terms = ["capacity", "terms", "cpu", ...price, ...VENDOR];
  teller.command(terms);
  await verbs.do(...terms);
  teller.detail(`(a billing period is ${PERIOD_SECONDS} s long, so that one can be watched`);
  teller.detail(" from here; a month is the usual one)");
  const card = join(stage.folder, "vendor.card");
  await verbs.do("capacity", "provider-card", "-o", card, ...VENDOR);

  const addHost = ["host", "add", HOST, ...OWNER];
  teller.command(addHost);
  const { joinToken } = await verbs.do<Response<"addHost">>(...addHost);
  const standby = ["--standby-cores", `${cores.at(-1)}`, "--reserve-cpu", "0"];
  const lent = ["--cores", cores.join(","), ...standby, "--memory", "1GiB", "--disk", "2GiB"];
  teller.command(["agent", "--join", joinToken, ...lent]);
  stage.startAgent("standby", "--join", joinToken, ...lent);
  const { hostId, facts } = await timed("standbyHost", "its agent joins", enrolled(play, "owner"));
  const isShared = facts?.sharedCpu === true;
  const notShared = isShared ? null : (facts?.controlGroupsReason ?? "its agent did not tell");

  const driver = createQemuDriver({
    folder: join(stage.dataOf("standby"), "guests"),
    log: () => undefined,
  });
  const at = ["--agent", stage.socketOf("standby")];
  const host: StandbyHost = {
    ...{ hostId, notShared },
    tell: (...argv) => {
      teller.command([...argv, ...at]);
      return verbs.do(...argv, ...at);
    },
    ask: (...argv) => verbs.do(...argv, ...at),
    inside: async (partition, command) => {
      const ssh = ["partition", "ssh", partition, ...at, "--", command];
      return (await verbs.do<{ readonly stdout: string }>(...ssh)).stdout.trim();
    },
    kernelNs: async (guestId) => (await driver.observe(guestId)).cpuNs,
  };
  teller.say(
    "The owner trusts the vendor's card: codes that its keys have signed count on this host.",
  );
  await host.tell("capacity", "trust", card, "--yes");
  return host;
}
