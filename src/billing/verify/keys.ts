import {
  importPublicKey,
  KeyError,
  type KeyRing,
  keyRing,
  type PublicJwk,
} from "../../signature/key.ts";
import type { LeaseExport, UsageExport } from "../export.ts";
import type { FindingCode } from "./finding.ts";
import type { Report } from "./report.ts";

/** Pinned keys alone count when there are any; the export's own prove only that it is in itself one. */
export function serverKeyRing(
  exported: UsageExport,
  trusted: readonly PublicJwk[] | undefined,
  report: Report,
): KeyRing {
  if (trusted !== undefined) {
    return keyRing(trusted);
  }
  report.add(
    "server-keys-unpinned",
    "serverKeys",
    "the export brings the server's keys itself; only keys that you got from the server and pinned prove who signed",
  );
  const keys = exported.serverKeys.map((jwk, index) =>
    readKey(jwk, "server-key-malformed", `serverKeys[${index}]`, report),
  );
  return keyRing(keys.filter((key) => key !== null));
}

/** Null when the export has none, or not one that is a key. */
export function agentKeyOf(exported: LeaseExport, report: Report): PublicJwk | null {
  if (exported.agentKey !== null) {
    return readKey(exported.agentKey, "agent-key-malformed", "agentKey", report);
  }
  const signed = exported.usageBatches.length + (exported.wipeReceiptJws === null ? 0 : 1);
  report.require(
    signed === 0,
    "agent-key-missing",
    "agentKey",
    "the host's key is not in the export, so nothing that the host signed can be checked",
  );
  return null;
}

function readKey(jwk: unknown, code: FindingCode, where: string, report: Report): PublicJwk | null {
  try {
    return importPublicKey(jwk);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    report.add(code, where, error.message);
    return null;
  }
}
