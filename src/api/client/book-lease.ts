import type { Handler } from "../handler.ts";
import { book } from "./book-leases.ts";

/** The special case of one: the same path as for many. */
export const bookLease: Handler<"bookLease"> = async (context, { caller, params, body }) => {
  const [lease] = await book(context, caller, [params.leaseId], body);
  if (!lease) throw new Error(`${params.leaseId} was booked and is not there`);
  return lease;
};
