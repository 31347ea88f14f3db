import type { UsageExport } from "../../src/billing/export.ts";
import type { UsageBatch, UsageRecord } from "../../src/meter/record.ts";

/** What the host signed of a lease, in its order. */
export function recordsOf({ leases }: UsageExport): UsageRecord[] {
  const batches = leases.flatMap(({ usageBatches }) => usageBatches);
  return batches.flatMap((jws) => payloadOf(jws).records.map(({ record }) => record));
}

/** The same export with one digit of one record changed, and nothing else. */
export function withOneDigitMore(exported: UsageExport): UsageExport {
  const [lease] = exported.leases;
  if (lease === undefined) throw new Error("there is no lease in it");
  const [first = "", ...others] = lease.usageBatches;
  const [header, , signature] = first.split(".");
  const { records } = payloadOf(first);
  const delivered = records.at(0)?.record.deliveredNs ?? "";
  const before = Buffer.from(first.split(".")[1] ?? "", "base64url").toString("utf8");
  const digit = (Number(delivered.at(0)) % 9) + 1;
  const after = before.replace(
    `"deliveredNs":"${delivered}"`,
    `"deliveredNs":"${digit}${delivered.slice(1)}"`,
  );
  if (after === before) throw new Error("nothing was changed");
  const altered = [header, Buffer.from(after).toString("base64url"), signature].join(".");
  return { ...exported, leases: [{ ...lease, usageBatches: [altered, ...others] }] };
}

function payloadOf(jws: string): UsageBatch {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"));
}
