import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { billDeliverVerb } from "./bill-deliver.ts";
import { billDeliveriesVerb, billRedeliverVerb } from "./bill-deliveries.ts";
import { billCsv, billText } from "./bill-text.ts";
import { billTotalsVerb } from "./bill-totals.ts";
import { billVerifyVerb } from "./bill-verify.ts";
import { capacityBillCsv, capacityBillText } from "./capacity-bill-text.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { connectFor } from "./naming/connect-for.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const list = verb<PageInput & { lease?: string; csv?: true }>({
  usage: "list",
  summary: "List bills that you pay or earn from, newest first.",
  examples: ["sublet bill list", "sublet bill list --lease lease_01k9… --csv"],
  options: [
    new Option("--lease <id>", "of one lease only"),
    new Option("--csv", "as comma-separated values"),
    ...pageOptions(),
  ],
  run: async (context, input) => {
    const { client, id } = await connectForLease(context, input.lease);
    const of = id === undefined ? {} : { leaseId: id };
    const found = await client.call("listBills", { query: { ...pageQuery(input), ...of } });
    if (input.csv) return { json: found, text: listCsv(found) };
    const rows = found.bills.map((bill) => [
      bill.billId,
      `${bill.number} ${bill.kind}`,
      instant(bill.closedAt),
      bill.client.name,
      bill.lender.name,
      bill.host.name,
      money(bill.totalMicros, bill.currency),
    ]);
    const headings = ["BILL", "NUMBER", "CLOSED", "CLIENT", "LENDER", "HOST", "TOTAL"];
    return { json: found, text: `${table(context, headings, rows)}${moreText(found.nextCursor)}` };
  },
});

async function connectForLease(context: Context, lease: string | undefined) {
  if (lease === undefined) return { ...(await connect(context)), id: undefined };
  return connectFor(context, "lease", lease);
}

/** Exact amounts; no value holds a comma. */
function listCsv({ bills }: Response<"listBills">): string {
  const head = "billId,leaseId,number,kind,closedAt,client,lender,host,currency,totalMicros";
  const rows = bills.map((bill) => [
    ...[bill.billId, bill.leaseId, bill.number, bill.kind, bill.closedAt],
    ...[bill.client.name, bill.lender.name, bill.host.name, bill.currency, bill.totalMicros],
  ]);
  return [head, ...rows.map((row) => row.join(","))].join("\n");
}

const show = verb<{ id: string; csv?: true }>({
  usage: "show <id>",
  summary: "Show a bill line by line.",
  examples: ["sublet bill show bill_01k9…", "sublet bill show bill_01k9… --csv"],
  options: [new Option("--csv", "its lines as comma-separated values")],
  run: async (context, { id, csv }) => {
    const { client, id: billId } = await connectFor(context, "bill", id);
    const found = await client.call("showBill", { params: { billId } });
    const { bill } = found;
    if (bill.kind === "capacity") {
      return { json: found, text: csv ? capacityBillCsv(bill) : capacityBillText(context, bill) };
    }
    return { json: found, text: csv ? billCsv(bill) : billText(context, bill) };
  },
});

export const billVerbs: VerbGroup = {
  name: "bill",
  summary: "What was used and what it costs",
  verbs: [
    ...[list, show, billTotalsVerb, billVerifyVerb],
    ...[billDeliverVerb, billDeliveriesVerb, billRedeliverVerb],
  ],
};
