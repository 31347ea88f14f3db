import type { Client } from "../../src/api/client/client.ts";
import type { Response } from "../../src/api/contract/contract.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  readGrant,
  signBatch,
} from "./fake-host.ts";

export interface Billed {
  readonly leaseId: LeaseId;
  readonly bill: Response<"showBill">["bill"];
}

/** A lease of now from its booking to its bill: records of so many seconds, all delivered. */
export async function billedLease(
  market: Market,
  seconds: readonly number[],
  meanwhile: () => Promise<void> = () => Promise.resolve(),
  client: Client = market.client,
): Promise<Billed> {
  const { server, host } = market;
  const leaseId = newId("lease");
  const params = { leaseId };
  await client.call("bookLease", { params, body: bookingOf() });
  await server.pass();
  await becomeReady(host, leaseId);
  await meanwhile();
  const granted = await readGrant(host, leaseId);
  const records = makeRecords(host, granted, seconds);
  await client.call("endLease", { params });
  if (records.length > 0) {
    await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  }
  await becomeWiped(host, granted, records);
  await server.pass();
  const { lease } = await client.call("showLease", { params });
  const { bill } = await client.call("showBill", {
    params: { billId: lease.billId ?? newId("bill") },
  });
  return { leaseId, bill };
}
