import { type Grant, grantSchema } from "../../enablement/grant.ts";
import type { KeyRing, PublicJwk } from "../../signature/key.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { BillExport } from "../bill.ts";
import type { Report } from "./report.ts";

/** What the server allowed, as far as it is proved. */
export interface Granted {
  readonly first: Grant;
  /** What the first record must name as the hash before it. */
  readonly origin: string;
  /** From the begin of the first grant to the end of the last. */
  readonly grantedNs: bigint;
  readonly jtis: ReadonlySet<string>;
}

/** Null when there is no grant that counts. */
export function checkGrants(
  exported: BillExport,
  serverKeys: KeyRing,
  agentKey: PublicJwk | null,
  report: Report,
): Granted | null {
  const { bill, grantJws } = exported;
  if (grantJws === null) {
    const used = exported.usageBatches.length > 0 || bill.totalMicros !== "0";
    if (used) report.add("grant-missing", "grantJws", "there is use or a price, and no grant");
    else
      report.add("nothing-granted", "grantJws", "nothing ran; whether it should have is not here");
    return null;
  }
  const signed = { typ: "sublet-grant", keys: serverKeys, schema: grantSchema } as const;
  const first = report.open("grant", "grantJws", { jws: grantJws, ...signed });
  if (first === null) return null;
  report.require(
    first.leaseId === bill.leaseId,
    "grant-other-lease",
    "grantJws",
    `the grant is for ${first.leaseId}, the bill for ${bill.leaseId}`,
  );
  report.require(
    first.aud === bill.host.id,
    "grant-other-host",
    "grantJws",
    `the grant is for ${first.aud}, the bill for ${bill.host.id}`,
  );
  report.require(
    first.partition.partitionId === bill.partition.id &&
      first.partition.name === bill.partition.name,
    "grant-other-partition",
    "grantJws",
    `the grant is for partition ${first.partition.name}, the bill for ${bill.partition.name}`,
  );
  report.require(
    agentKey === null || agentKey.kid === first.agentKeyThumbprint,
    "grant-other-agent-key",
    "agentKey",
    "the host's key in the export is not the one that the grant names",
  );
  report.require(
    canonicalJson(first.tariff) === canonicalJson(bill.tariff),
    "tariff-not-granted",
    "bill.tariff",
    "the bill's prices are not those of the grant",
  );

  const grants = [first];
  for (const [index, jws] of (exported.extensionGrantJws ?? []).entries()) {
    const where = `extensionGrantJws[${index}]`;
    const extension = report.open("extension", where, { jws, ...signed });
    if (extension === null) continue;
    checkExtension(first, grants.at(-1) ?? first, extension, where, report);
    grants.push(extension);
  }
  return {
    first,
    origin: sha256Hex(grantJws),
    grantedNs: lengthNs(first.period.start, (grants.at(-1) ?? first).period.end),
    jtis: new Set(grants.map((grant) => grant.jti)),
  };
}

function checkExtension(
  first: Grant,
  previous: Grant,
  extension: Grant,
  where: string,
  report: Report,
): void {
  const fixed = ({ jti: _jti, issuedAt: _at, sequence: _sequence, period, ...rest }: Grant) =>
    canonicalJson({ ...rest, start: period.start });
  report.require(
    fixed(extension) === fixed(first),
    "extension-differs",
    where,
    "the extension changes more than the end of the period",
  );
  report.require(
    extension.sequence > previous.sequence,
    "extension-out-of-order",
    where,
    `its sequence ${extension.sequence} is not above ${previous.sequence}`,
  );
  report.require(
    Date.parse(extension.period.end) > Date.parse(previous.period.end),
    "extension-not-longer",
    where,
    `it ends at ${extension.period.end}, what it extends at ${previous.period.end}`,
  );
}

function lengthNs(start: string, end: string): bigint {
  const milliseconds = Date.parse(end) - Date.parse(start);
  return milliseconds > 0 ? BigInt(milliseconds) * 1_000_000n : 0n;
}
