import { writeFile } from "node:fs/promises";
import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { SentQuery } from "../api/contract/contract.ts";
import { parseInstant } from "../unit/quantity.ts";
import { linesText, seconds } from "./bill-text.ts";
import { agentInstead } from "./capacity/at-agent.ts";
import { exportReport, importVerb, providerOption } from "./capacity/report.ts";
import { connect } from "./connect.ts";
import { connectFor } from "./naming/connect-for.ts";
import { resolveId } from "./naming/resolve-id.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";
import { plainText } from "./plain-text.ts";
import { type VerbGroup, verb } from "./verb.ts";

const show = verb<{ lease: string }>({
  usage: "show <lease>",
  summary: "Show what of a lease is used so far, and what that costs.",
  examples: ["sublet usage show lease_01k9…"],
  run: async (context, { lease }) => {
    const { client, id: leaseId } = await connectFor(context, "lease", lease);
    const usage = await client.call("showUsage", { params: { leaseId } });
    const { used, missing, currency } = usage;
    const head = facts([
      ["lease", `${leaseId}, ${usage.state}`],
      ["used", used ? `${instant(used.start)} to ${instant(used.end)}` : "-"],
      ["delivered", `${seconds(usage.deliveredNs)} s of ${seconds(usage.elapsedNs)} s`],
      ["records", `${usage.records}`],
      ...(missing.length > 0
        ? ([
            ["missing", missing.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(", ")],
          ] as const)
        : []),
    ]);
    const foot = facts([
      ["cost", `${money(usage.costMicros, currency)} so far`],
      ["billed", `${money(usage.billedMicros, currency)} of it, in ${usage.billIds.length} bills`],
    ]);
    const lines = linesText(context, usage.lines, currency);
    return { json: usage, text: `${head}\n\n${lines}\n\n${foot}` };
  },
});

interface ExportInput {
  readonly lease?: string;
  readonly bill?: string;
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
  readonly agent?: string;
  readonly provider?: string;
}

const exportVerb = verb<ExportInput>({
  usage: "export",
  summary: "Fetch all that checks bills elsewhere: grants, signed records, receipts, keys, bills.",
  examples: [
    "sublet usage export --lease lease_01k9… -o usage.json",
    "sublet usage export --bill bill_01k9… -o usage.json",
    "sublet usage export --from 2027-01-01T00:00Z --to 2027-02-01T00:00Z -o january.json",
    "sublet usage export --agent /run/sublet/agent.sock -o report.json",
  ],
  more: "Check it with `sublet bill verify FILE`, on any computer; docs/reference/export.md tells what it holds.\nWith --agent it is the host's signed report of enabled capacity, for its provider.",
  options: [
    new Option("--lease <id>", "one lease, with all of its bills"),
    new Option("--bill <id>", "one bill, and those of its lease before it").conflicts("lease"),
    new Option("--from <instant>", "leases and enabled capacity in use since then").conflicts([
      "lease",
      "bill",
    ]),
    new Option("--to <instant>", "leases and enabled capacity in use before then").conflicts([
      "lease",
      "bill",
    ]),
    new Option("-o, --output <file>", "write it there; without it to stdout"),
    agentInstead().conflicts(["lease", "bill", "from", "to"]),
    providerOption(),
  ],
  run: async (context, input) => {
    if (input.agent !== undefined) {
      return exportReport(context, input.agent, input.output, input.provider);
    }
    const { client } = await connect(context);
    const query = await exportQuery(client, input, context.clock.now());
    const exported = await client.call("exportUsage", { query });
    const text = JSON.stringify(exported, null, 2);
    const { output } = input;
    if (output === undefined) return { json: exported, text };
    await writeFile(output, `${text}\n`);
    const { leases, capacity = [] } = exported;
    const bills = [...leases, ...capacity].reduce((sum, one) => sum + one.bills.length, 0);
    const also = capacity.length === 0 ? "" : ` and the capacity of ${capacity.length} hosts`;
    return {
      json: { file: output, leases: leases.length, capacity: capacity.length, bills },
      text: `${leases.length} leases${also} with ${bills} bills are in ${output}`,
    };
  },
});

async function exportQuery(
  client: Client,
  input: ExportInput,
  now: Date,
): Promise<SentQuery<"exportUsage">> {
  const at = (text: string) => parseInstant(text, now).toISOString();
  return {
    ...(input.bill === undefined ? {} : { billId: await resolveId(client, "bill", input.bill) }),
    ...(input.lease === undefined
      ? {}
      : { leaseId: await resolveId(client, "lease", input.lease) }),
    ...(input.from === undefined ? {} : { from: at(input.from) }),
    ...(input.to === undefined ? {} : { to: at(input.to) }),
  };
}

const flags = verb({
  usage: "flags",
  summary: "List usage that was refused on any host (for the operator), newest first.",
  examples: ["sublet usage flags"],
  run: async (context) => {
    const { client } = await connect(context);
    const found = await client.call("listUsageFlags");
    const rows = found.flags.map(({ at, host, detail }) => [
      instant(at),
      host.name,
      String(detail.chainId),
      plainText(String(detail.message)),
    ]);
    return { json: found, text: table(context, ["AT", "HOST", "LEASE", "WHY"], rows) };
  },
});

export const usageVerbs: VerbGroup = {
  name: "usage",
  summary: "What is used, and the evidence of it",
  verbs: [show, exportVerb, importVerb, flags],
};
