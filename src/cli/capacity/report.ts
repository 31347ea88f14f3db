import { open, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import type { Imported } from "../../agent/capacity/receipts.ts";
import type { ReportPart } from "../../agent/capacity/report.ts";
import type { Response } from "../../api/contract/contract.ts";
import type { ReceiptFile, ReportFile } from "../../enablement/capacity/report-file.ts";
import { InputError } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { progress } from "../output/progress.ts";
import { untilAnswered } from "../until-answered.ts";
import { verb } from "../verb.ts";
import { agentInstead, askAgent } from "./at-agent.ts";
import { outputOption, writePaper } from "./paper.ts";
import { type PaperFile, withPaperFile } from "./paper-file.ts";

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
  more: "A file of any size goes in parts. The same file again changes nothing, also after an interruption.\nThe provider hands the receipts back, in any order.",
  options: [
    outputOption("of a report: write the receipts there instead of printing them"),
    agentInstead(),
  ],
  run: (context, { file, agent, output }) =>
    withPaperFile(context, file, async (paper) => {
      const { head } = paper;
      if (head.kind === "sublet-capacity-report") {
        if (agent === undefined) return takeReport(context, paper, head, output);
        throw new InputError("this is a report, which its provider takes; leave --agent out");
      }
      if (agent !== undefined) return takeReceipts(context, agent, paper, head);
      throw new InputError(
        "these are receipts, which their host takes; say its agent with --agent",
      );
    }),
});

type Taken = Response<"importReport">;

async function takeReport(
  context: Context,
  paper: PaperFile,
  head: ReportFile,
  output: string | undefined,
): Promise<Outcome> {
  const taken = await sendReport(context, paper, head);
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
  const given = `${textsIn(paper)} batches came, ${receiptFile.receipts.length} receipts are given`;
  return {
    json: { file, ...taken },
    text: [given, ...wrong, `written to ${output}`].join("\n"),
    exitCode,
  };
}

/**
 * The parts one after the other, acts first, since they tell what the records belong to. What an
 * interruption left is sent again with the same file: the server has each text once.
 */
async function sendReport(context: Context, paper: PaperFile, head: ReportFile): Promise<Taken> {
  const { client } = await connect(context);
  const again = "sublet usage import FILE";
  const send = (part: Partial<ReportFile>) => {
    const body = { ...head, ...part };
    const call = () => client.call("importReport", { body });
    return untilAnswered(context, call, { again, id: head.hostId });
  };
  const shown = progress(context);
  try {
    // Also of nothing: whether this provider may send it, and whether it wants a bill.
    let { receiptFile, refused } = await send({});
    let sent = 0;
    for (const name of ["acts", "usage"] as const) {
      let before = 0;
      for await (const part of paper.parts(name)) {
        const taken = await send({ [name]: [...part] });
        const receipts = [...receiptFile.receipts, ...taken.receiptFile.receipts];
        receiptFile = { ...taken.receiptFile, receipts };
        const from = before;
        const placed = taken.refused.map((one) => ({ ...one, index: from + one.index }));
        refused = [...refused, ...placed];
        before += part.length;
        sent += part.length;
        shown.update(`${sent} of ${textsIn(paper)} batches are with the provider`);
      }
    }
    return { receiptFile, refused };
  } finally {
    shown.done();
  }
}

function textsIn({ counts }: PaperFile): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Each receipt counts by itself: of a file that breaks off, those before are taken. */
async function takeReceipts(
  context: Context,
  agent: string,
  paper: PaperFile,
  { billNow, ...head }: ReceiptFile,
): Promise<Outcome> {
  const send = (body: ReceiptFile) => {
    const ask = { method: "POST", path: "/v1/capacity/import", body };
    return askAgent<Imported>(context, agent, ask, "the agent reads");
  };
  let [acts, records, again] = [0, 0, 0];
  for await (const receipts of paper.parts("receipts")) {
    const taken = await send({ ...head, receipts: [...receipts] });
    acts += taken.acts;
    records += taken.records;
    again += taken.again;
  }
  // Last, so that the bill is of what the host knows to be reported.
  const isEmpty = textsIn(paper) === 0;
  if (billNow || isEmpty) await send({ ...head, ...(billNow ? { billNow } : {}) });
  const text = `${acts} acts and ${records} records are now known to be with the provider`;
  const lost = `the provider has lost ${again} acts and records; write it another report with \`sublet usage export\``;
  return { json: { acts, records, again }, text: again === 0 ? text : `${text}\n${lost}` };
}

/** What `usage export --agent` writes: part by part, and under its name when it is whole. */
export async function exportReport(
  context: Context,
  agent: string,
  output: string | undefined,
  providerId: string | undefined,
): Promise<Outcome> {
  const parts = reportParts(context, agent, providerId);
  if (output === undefined) {
    await writeReport(parts, (text) => writeOut(context, text));
    return { json: undefined, text: "" };
  }
  const path = resolve(output);
  const draft = `${path}.part`;
  const file = await open(draft, "w");
  try {
    const counts = await writeReport(parts, async (text) => void (await file.write(text)));
    await file.sync();
    await rename(draft, path);
    const { acts, usage } = counts;
    return {
      json: { file: path, acts, usage },
      text: `${acts} batches of acts and ${usage} of usage are in ${output}`,
    };
  } finally {
    await file.close();
    await rm(draft, { force: true });
  }
}

async function* reportParts(
  context: Context,
  agent: string,
  providerId: string | undefined,
): AsyncGenerator<ReportPart> {
  const shown = progress(context);
  let batches = 0;
  let after: ReportPart["next"] = null;
  try {
    do {
      const wish = { ...(providerId === undefined ? {} : { providerId }), after };
      const ask = { method: "POST", path: "/v1/capacity/export", body: wish };
      const part: ReportPart = await askAgent(context, agent, ask, "the agent signs");
      yield part;
      batches += part.report.acts.length + part.report.usage.length;
      shown.update(`${batches} batches are written`);
      after = part.next;
    } while (after !== null);
  } finally {
    shown.done();
  }
}

/** One JSON document, as if it had been written at once: all acts come before all usage. */
async function writeReport(
  parts: AsyncIterable<ReportPart>,
  write: (text: string) => Promise<void>,
): Promise<{ readonly acts: number; readonly usage: number }> {
  const counts = { acts: 0, usage: 0 };
  let member: keyof typeof counts | null = null;
  for await (const { report } of parts) {
    const { acts, usage, ...head } = report;
    if (member === null) {
      await write(`${JSON.stringify(head, null, 2).slice(0, -2)},\n  "acts": [`);
      member = "acts";
    }
    for (const text of acts) await write(`${counts.acts++ > 0 ? "," : ""}\n    "${text}"`);
    if (member === "acts" && usage.length > 0) {
      await write(`\n  ],\n  "usage": [`);
      member = "usage";
    }
    for (const text of usage) await write(`${counts.usage++ > 0 ? "," : ""}\n    "${text}"`);
  }
  await write(member === "usage" ? "\n  ]\n}\n" : `\n  ],\n  "usage": []\n}\n`);
  return counts;
}

/** Waits while the reader is slower. */
async function writeOut({ stdout }: Pick<Context, "stdout">, text: string): Promise<void> {
  if (stdout.write(text)) return;
  await new Promise<void>((done) => stdout.once("drain", done));
}

export function providerOption(): Option {
  return new Option("--provider <id>", "with --agent: for this one of several providers");
}
