import { Option } from "commander";
import type { LeaseView } from "../api/contract/view.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { followLease } from "./follow-lease.ts";
import { leaseCreateVerb } from "./lease-create.ts";
import { leaseExtendVerb } from "./lease-extend.ts";
import { consoleVerb, powerVerbs } from "./lease-power.ts";
import { leaseText, printedEvents } from "./lease-text.ts";
import { connectFor } from "./naming/connect-for.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { table } from "./output/table.ts";
import { instant, money, sizeText } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";
import { watchLeases } from "./watch/lists.ts";

const list = verb<PageInput & { open?: true; watch?: true }>({
  usage: "list",
  summary: "List leases that you borrow or lend, newest first.",
  examples: ["sublet lease list", "sublet lease list --open", "sublet lease list --open --watch"],
  more: "--watch goes on until Ctrl-C: on a terminal the list is drawn anew, elsewhere each change is a line\n(with --json one document a line).",
  options: [
    new Option("--open", "only those that have not ended"),
    new Option("--watch", "go on, and show what changes"),
    ...pageOptions(),
  ],
  run: async (context, { open, watch, ...page }) => {
    const { client } = await connect(context);
    const query = { state: open ? ("open" as const) : ("all" as const), ...pageQuery(page) };
    const look = () => client.call("listLeases", { query });
    if (watch) {
      const leases = async () => (await look()).leases;
      await watchLeases(context, client, leases, (found) => leaseTable(context, found));
      return { json: undefined, text: "" };
    }
    const found = await look();
    const text = `${leaseTable(context, found.leases)}${moreText(found.nextCursor)}`;
    return { json: found, text };
  },
});

function leaseTable(context: Context, leases: readonly LeaseView[]): string {
  const rows = leases.map((lease) => [
    lease.leaseId,
    lease.outcome ?? lease.state,
    `${lease.host.name}/${lease.partition.name}`,
    sizeText(lease.size),
    lease.image.name,
    lease.period ? instant(lease.period.end) : "-",
    money(lease.quote.totalMicros, lease.tariff.currency),
  ]);
  const headings = ["LEASE", "STATE", "PARTITION", "SIZE", "OS", "UNTIL", "AT MOST"];
  return table(context, headings, rows);
}

const show = verb<{ id: string }>({
  usage: "show <id>",
  summary: "Show a lease and what happened to it.",
  examples: ["sublet lease show lease_01k9…"],
  run: async (context, { id }) => {
    const { client, id: leaseId } = await connectFor(context, "lease", id);
    const found = await client.call("showLease", { params: { leaseId } });
    const text = `${leaseText(found.lease)}\n\n${printedEvents(context, found.events)}`;
    return { json: found, text };
  },
});

const end = verb<{ id: string; wait?: true }>({
  usage: "end <id>",
  summary: "End a lease now; its partition is wiped and its bill closes.",
  examples: ["sublet lease end lease_01k9… --wait"],
  options: [new Option("--wait", "until its partition is wiped and its bill is there")],
  run: async (context, { id, wait }) => {
    const { client, id: leaseId } = await connectFor(context, "lease", id);
    const lease = await client.call("endLease", { params: { leaseId } });
    const since = new Date(lease.endingAt ?? lease.createdAt);
    const last = wait
      ? await followLease(context, client, leaseId, isSettled(context), since)
      : lease;
    return { json: last, text: leaseText(last) };
  },
});

export const leaseVerbs: VerbGroup = {
  name: "lease",
  summary: "Permission to use a partition for a period (client)",
  verbs: [leaseCreateVerb, list, show, leaseExtendVerb, ...powerVerbs, consoleVerb, end],
};

/** The bill follows the end at once, unless the host's last records are still under way. */
const BILL_WITHIN_MS = 10_000;

function isSettled({ clock }: Context): (lease: LeaseView) => boolean {
  let endedAtMs: number | undefined;
  return ({ state, outcome, billId }) => {
    if (state !== "ended") return false;
    const nowMs = clock.now().getTime();
    endedAtMs ??= nowMs;
    return billId !== null || outcome === "cancelled" || nowMs - endedAtMs > BILL_WITHIN_MS;
  };
}
