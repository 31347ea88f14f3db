import { writeFile } from "node:fs/promises";
import { Option } from "commander";
import { billCsv, billText } from "./bill-text.ts";
import { billVerifyVerb } from "./bill-verify.ts";
import { connect } from "./connect.ts";
import { connectFor } from "./naming/connect-for.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const list = verb<PageInput>({
  usage: "list",
  summary: "List bills that you pay or earn from, newest first.",
  examples: ["sublet bill list"],
  options: [...pageOptions()],
  run: async (context, input) => {
    const { client } = await connect(context);
    const found = await client.call("listBills", { query: pageQuery(input) });
    const rows = found.bills.map((bill) => [
      bill.billId,
      instant(bill.closedAt),
      bill.client.name,
      bill.lender.name,
      bill.host.name,
      money(bill.totalMicros, bill.currency),
    ]);
    const headings = ["BILL", "CLOSED", "CLIENT", "LENDER", "HOST", "TOTAL"];
    return { json: found, text: `${table(context, headings, rows)}${moreText(found.nextCursor)}` };
  },
});

const show = verb<{ id: string; csv?: true }>({
  usage: "show <id>",
  summary: "Show a bill line by line.",
  examples: ["sublet bill show bill_01k9…", "sublet bill show bill_01k9… --csv"],
  options: [new Option("--csv", "its lines as comma-separated values")],
  run: async (context, { id, csv }) => {
    const { client, id: billId } = await connectFor(context, "bill", id);
    const found = await client.call("showBill", { params: { billId } });
    return { json: found, text: csv ? billCsv(found.bill) : billText(context, found.bill) };
  },
});

const exportVerb = verb<{ id: string; output?: string }>({
  usage: "export <id>",
  summary: "Fetch everything that checks a bill elsewhere: grant, signed records, receipt, keys.",
  examples: ["sublet bill export bill_01k9… --output bill.json"],
  options: [new Option("--output <file>", "write it there; without it to stdout")],
  run: async (context, { id, output }) => {
    const { client, id: billId } = await connectFor(context, "bill", id);
    const exported = await client.call("exportBill", { params: { billId } });
    const text = JSON.stringify(exported, null, 2);
    if (output === undefined) return { json: exported, text };
    await writeFile(output, `${text}\n`);
    return { json: { billId, file: output }, text: `${billId} is in ${output}` };
  },
});

export const billVerbs: VerbGroup = {
  name: "bill",
  summary: "What was used and what it costs",
  verbs: [list, show, billVerifyVerb, exportVerb],
};
