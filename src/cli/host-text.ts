import type { Response } from "../api/contract/contract.ts";
import { quantityText, useText } from "../enablement/capacity/resource.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { coresInBase, instant, sizeText, standbyText } from "./output/words.ts";
import { partitionTable } from "./partition-text.ts";

type Shown = Response<"showHost">;
type HostView = Shown["host"];

export function hostText(context: Context, shown: Shown): string {
  const { host, partitions, lentCodes, events } = shown;
  const found = host.facts;
  const known: [string, string][] = found
    ? [
        ["machine", `${host.architecture}, ${found.cpuModel}, Linux ${found.kernel}`],
        ["cores", coresInBase(found).join(",")],
        ["partitions by", `${found.driver} ${found.driverVersion}, ${found.accelerator}`],
        ["", found.acceleratorReason],
        ["shared cpu", found.sharedCpu ? "yes" : "no"],
        ["", found.controlGroupsReason],
        ["internet", found.internet ? "yes" : "no"],
        ["", found.internetReason ?? "its agent is older; start it anew from a newer version"],
      ]
    : [];
  const head = facts([
    ["host", `${host.name} (${host.hostId})`],
    ["lender", host.lender.name],
    ["state", stateText(host)],
    ["leases", serviceText(host)],
    ...known,
    ["reserve", sizeText(host.reserve)],
    ["base", sizeText(host.base)],
    ["standby", standbyText(host.standby, found?.standbyCores)],
    ["free", sizeText(host.free)],
  ]);
  const cut =
    partitions.length > 0
      ? partitionTable(context, partitions)
      : "no partitions; add one with `sublet partition set`";
  return [
    head,
    cut,
    ...(lentCodes.length > 0 ? [lentTable(context, lentCodes)] : []),
    ...(events.length > 0 ? [eventTable(context, events)] : []),
  ].join("\n\n");
}

/** What of the standby serves leases, by which codes. */
function lentTable(context: Context, codes: Shown["lentCodes"]): string {
  const rows = codes.map((code) => [
    code.codeId,
    quantityText(code.resource, code.quantity),
    code.inUse === 0 ? "-" : quantityText(code.resource, code.inUse),
    useText(code.resource, BigInt(code.unreserved)),
    instant(code.reservedUntil),
    `${instant(code.validity.end)}${code.isOpen ? "" : "; for no new leases"}`,
  ]);
  const heads = ["LENT CODE", "AT ONCE", "IN USE", "UNRESERVED", "RESERVED UNTIL", "VALID UNTIL"];
  return table(context, heads, rows);
}

export function stateText(host: HostView): string {
  switch (host.state) {
    case "expected":
      return "expected: no agent has joined yet";
    case "seen":
      return "seen";
    case "removed":
      return `removed at ${instant(host.removedAt)}`;
    case "late":
    case "lost":
      return `${host.state}: last heard ${instant(host.seenAt)}`;
  }
}

/** Whether it takes leases, and when it does not. */
export function serviceText({ drainedAt, maintenance, removedAt }: HostView): string {
  if (removedAt !== null) return "none any more";
  const closed: string[] = [];
  if (drainedAt !== null) closed.push(`no new ones since ${instant(drainedAt)} (drained)`);
  if (maintenance !== null) {
    const { start, end } = maintenance;
    const until = end === null ? "until it is lifted" : `until ${instant(end)}`;
    closed.push(`none from ${instant(start)} ${until} (maintenance)`);
  }
  return closed.join("; ") || "taken";
}

/** Oldest first, as one reads. */
function eventTable(context: Context, events: Shown["events"]): string {
  const rows = events.toReversed().map(({ at, kind, detail }) => [
    instant(at),
    kind,
    Object.entries(detail)
      .filter(([name]) => name !== "message")
      .map(
        ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
      )
      .join(", "),
  ]);
  return table(context, ["WHEN", "EVENT", ""], rows);
}
