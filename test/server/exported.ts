import type { Client } from "../../src/api/client/client.ts";
import { isId } from "../../src/unit/id.ts";

/** A bill's export, and of it the lease and the bill itself. */
export async function exportOf(client: Client, billId: string | null) {
  if (billId === null || !isId("bill", billId)) throw new Error("there is no bill yet");
  const exported = await client.call("exportUsage", { query: { billId } });
  const [lease] = exported.leases;
  const bill = lease?.bills.at(-1)?.bill;
  if (lease === undefined || bill === undefined) throw new Error("the bill is not in its export");
  return { exported, lease, bill };
}
