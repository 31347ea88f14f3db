import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Response } from "../../src/api/contract/contract.ts";
import { cleanUp, DEMO_PARTS } from "../../src/cli/demo/clean-up.ts";
import { createDaemon, type Daemon } from "../../test/guest/daemon.ts";
import type { Market } from "../../test/guest/market.ts";
import { until } from "../../test/guest/processes.ts";

/** The host whose second core is standby; the first is for guests of its owner. */
export const METERED_HOST = "h2";
export const STANDBY_CORE = 1;
/** Short, so that many edges come in a run. */
const PERIOD = "15s";

/** A second agent of the market, with standby capacity that the party `vendor` sells. */
export interface Metered {
  readonly agent: Daemon;
  readonly socket: string;
  readonly databasePath: string;
  readonly guestsFolder: string;
  /** Ends the agent, then takes its guests away. */
  close(): Promise<void>;
}

/**
 * Two agents of one computer have disjoint cores. On a machine with two there would be none for this
 * one, so it looks for its neighbours where there are none; that the cores are shared costs time alone.
 */
export async function openMetered(market: Market): Promise<Metered> {
  const { verbs, url } = market;
  const folder = join(market.folder, "metered");
  const dataFolder = join(folder, DEMO_PARTS.agent);
  mkdirSync(folder);
  const lent = ["--cores", "0-1", "--standby-cores", `${STANDBY_CORE}`, "--reserve-cpu", "0"];
  const sizes = ["--memory", "1GiB", "--disk", "3GiB"];
  const agent = createDaemon(
    ["agent", "--data", dataFolder, ...lent, ...sizes],
    join(folder, "agent.log"),
    ["env", `SUBLET_RUN=${join(folder, "run")}`],
  );
  const close = async () => {
    await agent.stop();
    if (existsSync(folder)) await cleanUp(folder);
  };
  try {
    const added = await verbs.do<Response<"addParty">>(
      ..."party add vendor --role provider --as operator".split(" "),
    );
    await verbs.do("login", url, "--key", added.key, "--as", "vendor");
    await verbs.do(
      ..."capacity terms cpu --price 3.60/h --overdraft-price 7.20/h".split(" "),
      ...`--unreturned-price 10.80/h --period ${PERIOD} --as vendor`.split(" "),
    );
    const { joinToken } = await verbs.do<Response<"addHost">>(
      ..."host add".split(" "),
      METERED_HOST,
      ..."--as lender".split(" "),
    );
    await agent.start("--join", joinToken);
    await until("the metered host is seen", async () => {
      const { hosts } = await verbs.do<Response<"listHosts">>("host", "list", "--as", "lender");
      return hosts.find(({ name, state }) => name === METERED_HOST && state === "seen");
    });
    const socket = join(dataFolder, "agent.sock");
    const card = join(folder, "vendor.card");
    await verbs.do("capacity", "provider-card", "-o", card, "--as", "vendor");
    await verbs.do("capacity", "trust", card, "--yes", "--agent", socket);
    return {
      ...{ agent, close, socket },
      databasePath: join(dataFolder, "agent.db"),
      guestsFolder: join(dataFolder, "guests"),
    };
  } catch (error) {
    await close();
    throw error;
  }
}
