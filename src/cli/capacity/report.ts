import { Option } from "commander";
import type { z } from "zod";
import type { Imported } from "../../agent/capacity/receipts.ts";
import {
  type ReceiptFile,
  type ReportFile,
  receiptFileSchema,
  reportFileSchema,
} from "../../enablement/capacity/report-file.ts";
import { InputError } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { CliError } from "../failure.ts";
import { untilAnswered } from "../until-answered.ts";
import { verb } from "../verb.ts";
import { agentInstead, askAgent } from "./at-agent.ts";
import { outputOption, readPaper, writePaper } from "./paper.ts";

interface ImportInput {
  readonly file: string;
  readonly agent?: string;
  readonly output?: string;
}

export const importVerb = verb<ImportInput>({
  usage: "import <file>",
  summary: "Take a host's report as its provider, or at the host the receipts for one.",
  examples: [
    "sublet usage import report.json -o receipt.json",
    "sublet usage import receipt.json --agent /run/sublet/agent.sock",
  ],
  more: "The same file again changes nothing. The provider hands the receipts back, in any order.",
  options: [
    outputOption("of a report: write the receipts there instead of printing them"),
    agentInstead(),
  ],
  run: async (context, { file, agent, output }) => {
    const parsed = readFileOf(file, await readPaper(context, file));
    if (parsed.kind === "sublet-capacity-report") {
      if (agent === undefined) return takeReport(context, parsed, output);
      throw new InputError("this is a report, which its provider takes; leave --agent out");
    }
    if (agent !== undefined) return takeReceipts(context, agent, parsed);
    throw new InputError("these are receipts, which their host takes; say its agent with --agent");
  },
});

async function takeReport(
  context: Context,
  report: ReportFile,
  output: string | undefined,
): Promise<Outcome> {
  const { client } = await connect(context);
  const send = () => client.call("importReport", { body: report });
  const again = "sublet usage import FILE";
  const taken = await untilAnswered(context, send, { again, id: report.hostId });
  const { receiptFile, refused } = taken;
  const wrong = refused.map(
    ({ text, index, message }) => `refused: ${text} ${index + 1}: ${message}`,
  );
  const exitCode = refused.length > 0 ? 1 : 0;
  const text = JSON.stringify(receiptFile, null, 2);
  if (output === undefined) {
    if (wrong.length > 0) context.stderr.write(`${wrong.join("\n")}\n`);
    return { json: taken, text, exitCode };
  }
  const file = await writePaper(text, output);
  const given = `${report.acts.length + report.usage.length} batches came, ${receiptFile.receipts.length} receipts are given`;
  return {
    json: { file, ...taken },
    text: [given, ...wrong, `written to ${output}`].join("\n"),
    exitCode,
  };
}

async function takeReceipts(context: Context, agent: string, body: ReceiptFile): Promise<Outcome> {
  const ask = { method: "POST", path: "/v1/capacity/import", body };
  const taken = await askAgent<Imported>(context, agent, ask, "the agent reads");
  const { acts, records, again } = taken;
  const text = `${acts} acts and ${records} records are now known to be with the provider`;
  const lost = `the provider has lost ${again} acts and records; write it another report with \`sublet usage export\``;
  return { json: taken, text: again === 0 ? text : `${text}\n${lost}` };
}

/** What `usage export --agent` writes. */
export async function exportReport(
  context: Context,
  agent: string,
  output: string | undefined,
  providerId: string | undefined,
): Promise<Outcome> {
  const body = providerId === undefined ? {} : { providerId };
  const ask = { method: "POST", path: "/v1/capacity/export", body };
  const report = await askAgent<ReportFile>(context, agent, ask, "the agent signs");
  const text = JSON.stringify(report, null, 2);
  if (output === undefined) return { json: report, text };
  const path = await writePaper(text, output);
  const { acts, usage } = report;
  return {
    json: { file: path, acts: acts.length, usage: usage.length },
    text: `${acts.length} batches of acts and ${usage.length} of usage are in ${output}`,
  };
}

export function providerOption(): Option {
  return new Option("--provider <id>", "with --agent: for this one of several providers");
}

function readFileOf(name: string, text: string): ReportFile | ReceiptFile {
  const value = parseJson(text);
  const kind = (value as { kind?: unknown } | undefined)?.kind;
  if (kind === "sublet-capacity-report") return fitting(name, reportFileSchema.safeParse(value));
  if (kind === "sublet-capacity-receipts") return fitting(name, receiptFileSchema.safeParse(value));
  throw new CliError(
    "file-unreadable",
    `${name} is neither a report nor receipts, or not all of one; write it again with \`sublet usage export --agent SOCKET\` at the host, or \`sublet usage import\` at the provider`,
    { file: name },
  );
}

function fitting<T>(name: string, read: z.ZodSafeParseResult<T>): T {
  if (read.success) return read.data;
  const where = read.error.issues[0]?.path.join(".") || "its whole";
  throw new CliError(
    "file-unreadable",
    `${name} is damaged, or of another version (at ${where}); carry it over again`,
    { file: name, where },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
