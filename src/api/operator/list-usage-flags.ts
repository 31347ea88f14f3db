import { listUsageRefusals } from "../../host/event-store.ts";
import type { Handler } from "../handler.ts";

/** The newest; older ones are with their hosts. */
const FLAGS_MAX = 200;

export const listUsageFlags: Handler<"listUsageFlags"> = async ({ db }) => {
  const flags = await listUsageRefusals(db.kysely, FLAGS_MAX);
  return { flags: flags.map(({ at, ...flag }) => ({ ...flag, at: at.toISOString() })) };
};
