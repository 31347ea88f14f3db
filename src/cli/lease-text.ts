import type { LeaseEventView, LeaseView } from "../api/contract/view.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, money, sizeText } from "./output/words.ts";

/** A lease for people, with what to type next. */
export function leaseText(lease: LeaseView): string {
  const { period, access, tariff, quote } = lease;
  const rows: [string, string][] = [
    ["lease", lease.leaseId],
    ["state", stateText(lease)],
    ["partition", `${lease.host.name}/${lease.partition.name} of ${lease.lender.name}`],
    ["client", lease.client.name],
    ["size", `${sizeText(lease.size)}, ${lease.cpuMode} cpu`],
    ["os", `${lease.image.name} ${lease.image.version}`],
    ["period", period ? `${instant(period.start)} to ${instant(period.end)}` : "-"],
    [
      "costs",
      `${money(quote.perHourMicros, tariff.currency)}/h, at most ${money(quote.totalMicros, tariff.currency)}`,
    ],
  ];
  rows.push(...extensionRows(lease));
  if (lease.power.generation > 0) rows.push(["power", powerText(lease.power)]);
  if (access) rows.push(["way in", wayInText(access)]);
  if (lease.billId) rows.push(["bill", lease.billId]);
  return `${facts(rows)}${nextText(lease)}`;
}

/** One that is in force shows in the period; that one lapsed is told among the events. */
function extensionRows({ extensions, tariff }: LeaseView): [string, string][] {
  return extensions
    .filter(({ state }) => state === "pending")
    .map(({ end, additionalMicros }) => [
      "extension",
      `to ${instant(end)} for at most ${money(additionalMicros, tariff.currency)} more: pending, and not charged, until its host has acknowledged it`,
    ]);
}

export function printedEvents(context: Context, events: readonly LeaseEventView[]): string {
  const rows = events.map((event) => [instant(event.at), eventText(event)]);
  return table(context, ["WHEN", "WHAT"], rows);
}

/** `booting`, `failed: image-altered`: a step of an agent's progress goes by its own name. */
export function eventText({ kind, reason, detail }: LeaseEventView): string {
  const step = detail.step;
  const what = typeof step === "string" ? step : kind;
  const said = detail.message;
  const why = [reason === what ? null : reason, typeof said === "string" ? said : null];
  return plain([what, ...why.filter((word) => word !== null)].join(": "));
}

/** A host says what it likes: nothing of it may speak to the person's terminal. */
function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

function wayInText({ user, address, port, direct }: NonNullable<LeaseView["access"]>): string {
  return direct === false ? `${user}, through the server` : `${user} at ${address} port ${port}`;
}

function stateText({ state, outcome, reason }: LeaseView): string {
  const end = outcome ? `, ${outcome}` : "";
  return reason && reason !== state && reason !== outcome
    ? `${state}${end} (${reason})`
    : `${state}${end}`;
}

function powerText({ state, generation, doneGeneration }: LeaseView["power"]): string {
  if (doneGeneration < generation) return `${state}, asked of the host`;
  return state === "off" ? "off" : "on";
}

function nextText({ state, leaseId, billId, access }: LeaseView): string {
  if (state === "ready" && access) {
    return `\n\nRun something in it:\n  sublet run --lease ${leaseId} -- uname -a`;
  }
  return billId ? `\n\nCheck its bill:\n  sublet bill verify ${billId}` : "";
}
