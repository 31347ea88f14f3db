import type { Handler } from "../handler.ts";

export const whoami: Handler<"whoami"> = async (_context, { caller }) => ({
  partyId: caller.partyId,
  name: caller.name,
  roles: [...caller.roles],
});
