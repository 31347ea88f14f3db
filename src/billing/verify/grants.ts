import { type Grant, grantSchema } from "../../enablement/grant.ts";
import type { KeyRing, PublicJwk } from "../../signature/key.ts";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import type { BillDocument } from "../bill.ts";
import type { LeaseExport } from "../export.ts";
import type { Report } from "./report.ts";

/** What the server allowed, as far as it is proved. */
export interface Granted {
  readonly first: Grant;
  /** What the first record must name as the hash before it. */
  readonly origin: string;
  /** From the begin of the first grant to the end of the last. */
  readonly grantedNs: bigint;
  /** Of each grant, by sequence. */
  readonly ends: readonly string[];
  readonly jtis: ReadonlySet<string>;
}

/** Null when there is no grant that counts. */
export function checkGrants(
  lease: LeaseExport,
  serverKeys: KeyRing,
  agentKey: PublicJwk | null,
  report: Report,
): Granted | null {
  const { grantJws } = lease;
  if (grantJws === null) {
    const isBilled = lease.bills.some(({ bill }) => bill.totalMicros !== "0");
    const used = lease.usageBatches.length > 0 || isBilled;
    if (used) report.add("grant-missing", "grantJws", "there is use or a price, and no grant");
    else
      report.add("nothing-granted", "grantJws", "nothing ran; whether it should have is not here");
    return null;
  }
  const signed = { typ: "sublet-grant", keys: serverKeys, schema: grantSchema } as const;
  const first = report.open("grant", "grantJws", { jws: grantJws, ...signed });
  if (first === null) return null;
  report.require(
    first.leaseId === lease.leaseId,
    "grant-other-lease",
    "grantJws",
    `the grant is for ${first.leaseId}, where ${lease.leaseId} is`,
  );
  report.require(
    agentKey === null || agentKey.kid === first.agentKeyThumbprint,
    "grant-other-agent-key",
    "agentKey",
    "the host's key in the export is not the one that the grant names",
  );
  for (const [index, { bill }] of lease.bills.entries()) {
    checkGranted(first, bill, `bills[${index}]`, report);
  }

  const grants = [first];
  for (const [index, jws] of lease.extensionGrantJws.entries()) {
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
    ends: grants.map(({ period }) => new Date(period.end).toISOString()),
    jtis: new Set(grants.map((grant) => grant.jti)),
  };
}

/** A bill is for what was granted, at the prices of the grant. */
function checkGranted(first: Grant, bill: BillDocument, where: string, report: Report): void {
  const compare = [
    ["grant-other-lease", "lease", first.leaseId, bill.leaseId],
    ["grant-other-host", "host", first.aud, bill.host.id],
    ["grant-other-partition", "partition", first.partition.partitionId, bill.partition.id],
    ["grant-other-partition", "partition", first.partition.name, bill.partition.name],
  ] as const;
  for (const [code, noun, granted, billed] of compare) {
    const message = `the grant is for ${noun} ${granted}, the bill for ${billed}`;
    report.require(granted === billed, code, where, message);
  }
  report.require(
    canonicalJson(first.tariff) === canonicalJson(bill.tariff),
    "tariff-not-granted",
    `${where}.tariff`,
    "the bill's prices are not those of the grant",
  );
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
