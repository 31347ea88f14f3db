import { setTimeout as systemSleep } from "node:timers/promises";
import { Option } from "commander";
import type { Response } from "../../api/contract/contract.ts";
import type { CapacityOrder } from "../../enablement/capacity/order.ts";
import { newId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { CliError } from "../failure.ts";
import { progress } from "../output/progress.ts";
import { untilAnswered } from "../until-answered.ts";

type Order = Response<"orderCapacity">;

/** A host that is on line answers within seconds; one that is not does it when it comes back. */
const WAIT_MS = 30_000;
const LOOK_EVERY_MS = 1_000;

export function hostInstead(): Option {
  return new Option("--host <name>", "at a host of yours, by way of the server");
}

export interface Place {
  readonly agent?: string;
  readonly host?: string;
}

/** The socket, or undefined: by way of the server. One of them must be said. */
export function placeOf(input: Place): Place {
  const { agent, host } = input;
  if (agent !== undefined) return { agent };
  if (host !== undefined) return { host };
  throw new InputError("say where: --agent SOCKET on that computer, or --host NAME from elsewhere");
}

/** Has the host do it, and waits a while for its answer. Its refusal is this command's. */
export async function order(
  context: Context,
  host: string,
  ordered: CapacityOrder,
): Promise<Outcome> {
  const { client } = await connect(context);
  const orderId = newId("order", context.clock.now().getTime());
  const send = () => client.call("orderCapacity", { body: { orderId, host, ordered } });
  const again = "sublet capacity show --agent SOCKET";
  let told: Order = await untilAnswered(context, send, { again, id: orderId });
  const shown = progress(context);
  const sleep = context.sleep ?? systemSleep;
  for (let waitedMs = 0; told.outcome === null && waitedMs < WAIT_MS; waitedMs += LOOK_EVERY_MS) {
    shown.update(`${host} has not answered yet (${waitedMs / 1000} s)`);
    await sleep(LOOK_EVERY_MS);
    const { orders } = await client.call("listCapacityOrders", { params: { host } });
    told = orders.find((one) => one.orderId === orderId) ?? told;
  }
  shown.done();
  if (told.outcome === null) {
    const text = `${orderId} is with the server; ${host} has not answered yet, and does it when it is on line`;
    return { json: told, text };
  }
  if (told.outcome === "done") return { json: told, text: `${host} has done it (${orderId})` };
  throw new CliError(told.outcome, told.message ?? `${host} refused it; look at it there`, {
    orderId,
    host,
  });
}
