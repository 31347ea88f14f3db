import type { FastifyInstance } from "fastify";
import { listen } from "../database/listen.ts";
import type { Loop } from "../process/loop.ts";
import { createAgentConnections } from "./agent-connections.ts";
import type { BuiltContext } from "./build-context.ts";
import type { ServerConfig } from "./config.ts";
import { startDeliveries } from "./deliveries.ts";
import { startPasses } from "./passes.ts";
import { createRelay } from "./relay/relay.ts";
import { acceptUpgrades } from "./upgrade.ts";

/** Listens, lets agents in, hears what other servers did, and runs the passes. */
export async function startServing(
  app: FastifyInstance,
  { context, changes, late }: BuiltContext,
  config: Pick<ServerConfig, "host" | "port">,
): Promise<{ stop(): Promise<void> }> {
  const agents = createAgentConnections(context);
  const routes = [agents.route, ...createRelay(context, agents)];
  const upgrades = acceptUpgrades(app.server, context, routes);
  const passes = startPasses(context);
  late.wake = () => passes.wake();
  let deliveries: Loop | undefined;
  const listener = await listen(context.db, ["lease_event", "host_desired"], {
    onNotification: (channel, payload) => {
      if (channel === "host_desired") agents.hint(payload);
      else changes.notify(payload);
    },
    onReconnect: () => {
      agents.hintAll();
      changes.notifyAll();
    },
  });
  const stop = async () => {
    await upgrades.close();
    await app.close();
    await passes.stop();
    await deliveries?.stop();
    await listener.close();
  };
  try {
    const address = await app.listen({ host: config.host, port: config.port });
    if (late.publicUrl === "") late.publicUrl = reachable(address);
    // What is sent names the address, which is known now.
    deliveries = startDeliveries(context);
    context.log.info({ url: late.publicUrl, listen: address }, "the server listens");
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** Listening everywhere is no address that one can call. */
function reachable(address: string): string {
  return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}
