import { buildApp } from "./app.ts";
import type { ServerContext } from "./context.ts";

/** The API's description alone: nothing is called, so nothing of a server is needed. */
export async function describeApi(log: ServerContext["log"]): Promise<unknown> {
  const app = await buildApp({ log } as ServerContext);
  await app.ready();
  const description = app.swagger();
  await app.close();
  return description;
}
