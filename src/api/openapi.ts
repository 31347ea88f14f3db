import { buildApp } from "./app.ts";
import type { ServerContext } from "./context.ts";
import { attemptCounter } from "./delivery/settings.ts";

/** The API's description alone: nothing is called, so nothing of a server is needed. */
export async function describeApi(log: ServerContext["log"]): Promise<unknown> {
  const delivery = { allowPrivateWebhooks: false, mailer: null, attempts: attemptCounter() };
  const app = await buildApp({ log, delivery } as ServerContext);
  await app.ready();
  const description = app.swagger();
  await app.close();
  return description;
}
