import { setTimeout as sleep } from "node:timers/promises";
import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { RunView } from "../api/contract/run.ts";
import type { RunId } from "../unit/id.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { EXIT_OURS } from "./failure.ts";
import { readId } from "./option/id.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { progress } from "./output/progress.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";
import { plainText } from "./plain-text.ts";
import { jobVerb } from "./run-job.ts";
import { isUnanswered } from "./until-answered.ts";
import { type VerbGroup, verb } from "./verb.ts";

const list = verb<PageInput>({
  usage: "list",
  summary: "List what you ran and run, newest first.",
  examples: ["sublet run list"],
  options: [...pageOptions()],
  run: async (context, input) => {
    const { client } = await connect(context);
    const found = await client.call("listRuns", { query: pageQuery(input) });
    const rows = found.runs.map((run) => [
      run.runId,
      run.state,
      run.exitCode === null ? "-" : String(run.exitCode),
      instant(run.createdAt),
      money(run.billedMicros, run.currency),
      oneLine(run.command),
    ]);
    const headings = ["RUN", "STATE", "EXIT", "BEGUN", "COST", "COMMAND"];
    return { json: found, text: `${table(context, headings, rows)}${moreText(found.nextCursor)}` };
  },
});

const show = verb<{ id: string }>({
  usage: "show <id>",
  summary: "Show a run, its leases and its one bill.",
  examples: ["sublet run show run_01k9…"],
  run: async (context, { id }) => {
    const { client } = await connect(context);
    const run = await client.call("showRun", { params: { runId: readId("run", id) } });
    return { json: run, text: runText(context, run) };
  },
});

const logs = verb<{ id: string; follow?: true }>({
  usage: "logs <id>",
  summary: "What a detached run wrote, to stdout and stderr as it did.",
  examples: ["sublet run logs run_01k9…", "sublet run logs --follow run_01k9…"],
  options: [new Option("-f, --follow", "until it has ended")],
  run: async (context, { id, follow }) => {
    const { showLogs } = await import("./job/logs.ts");
    return showLogs(context, readId("run", id), follow === true);
  },
});

const wait = verb<{ id: string; get?: boolean }>({
  usage: "wait <id>",
  summary: "Wait until a run has ended, fetch what it left, and give its exit code.",
  examples: ["sublet run wait run_01k9…", "sublet run wait --no-get run_01k9…"],
  more: "A run that has none, since its lease ended before its command, has 255.",
  options: [new Option("--no-get", "leave what it left at the server")],
  failureExitCode: EXIT_OURS,
  run: async (context, { id, get: wantsGet = true }) => {
    const runId = readId("run", id);
    const { client } = await connect(context);
    const run = await untilOver(context, client, runId);
    const restored = wantsGet && run.kind === "detached" ? await fetchOf(context, client, run) : {};
    const exitCode = run.exitCode ?? EXIT_OURS;
    const text = runText(context, run);
    return { json: { ...run, ...restored }, text, exitCode };
  },
});

const get = verb<{ id: string }>({
  usage: "get <id>",
  summary:
    "Fetch what a detached run left, also after its lease has ended; then it is kept no longer.",
  examples: ["sublet run get run_01k9…"],
  run: async (context, { id }) => {
    const { client } = await connect(context);
    const run = await client.call("showRun", { params: { runId: readId("run", id) } });
    const { getOutputs } = await import("./job/outputs.ts");
    const restored = await getOutputs(context, client, run);
    return { json: { runId: run.runId, ...restored }, text: restored.files.join("\n") };
  },
});

const cancel = verb<{ id: string }>({
  usage: "cancel <id>",
  summary: "Ask a run's command to end (SIGTERM, and SIGKILL after 10 s), and end its leases.",
  examples: ["sublet run cancel run_01k9…"],
  run: async (context, { id }) => {
    const runId = readId("run", id);
    const { client } = await connect(context);
    const { askToEnd } = await import("./job/logs.ts");
    await askToEnd(context, client, runId);
    await client.call("cancelRun", { params: { runId } });
    const run = await untilOver(context, client, runId);
    return { json: run, text: runText(context, run) };
  },
});

export const runVerbs: VerbGroup = {
  name: "run",
  summary: "Do a whole job in a lease of its own, or run a command in one that is there (client)",
  verbs: [jobVerb, list, show, logs, wait, get, cancel],
};

const POLL_MS = 500;
const OVER: readonly string[] = ["done", "failed", "cancelled"];
/** The last bill follows the end within seconds. */
const BILL_POLLS = 60;

/** Until the run is over and its bills are there; a server that restarts is waited for. */
async function untilOver(context: Context, client: Client, runId: RunId): Promise<RunView> {
  const shown = progress(context);
  const startedAtMs = context.clock.now().getTime();
  let pollsAfter = 0;
  try {
    for (;;) {
      const run = await client.call("showRun", { params: { runId } }).catch((error: unknown) => {
        if (isUnanswered(error)) return null;
        throw error;
      });
      const seconds = Math.floor((context.clock.now().getTime() - startedAtMs) / 1000);
      if (run === null) shown.update(`the server does not answer; ${runId} goes on meanwhile`);
      else if (OVER.includes(run.state)) {
        const isBilled = run.leases.every((l) => l.billId !== null || l.outcome === "cancelled");
        if (isBilled || ++pollsAfter > BILL_POLLS) return run;
      } else
        shown.update(
          `${runId} is ${run.state}, waited ${seconds} s${await costText(context, client, run)}`,
        );
      await sleep(POLL_MS);
    }
  } finally {
    shown.done();
  }
}

/** What its leases came to so far, about. */
async function costText(context: Context, client: Client, run: RunView): Promise<string> {
  const [first] = run.leases;
  if (first === undefined || run.leases.length > 1 || !context.stderr.isTTY) return "";
  const { lease } = await client.call("showLease", { params: { leaseId: first.leaseId } });
  const { costSoFar } = await import("./job/lease.ts");
  const cost = costSoFar(lease, context.clock.now());
  return cost === null ? "" : `, ${cost} so far`;
}

async function fetchOf(context: Context, client: Client, run: RunView) {
  if (run.leases[0]?.outputs?.state !== "kept") return {};
  const { getOutputs } = await import("./job/outputs.ts");
  return getOutputs(context, client, run);
}

function runText(context: Context, run: RunView): string {
  const rows: [string, string][] = [
    ["run", run.runId],
    ["state", run.state],
    ["exit code", run.exitCode === null ? "-" : String(run.exitCode)],
    ["command", oneLine(run.command)],
    ["begun", instant(run.createdAt)],
    ["ended", instant(run.finishedAt)],
  ];
  const outputs = run.leases.find((lease) => lease.outputs !== null)?.outputs;
  if (outputs?.state === "kept") rows.push(["outputs", `kept until ${instant(outputs.until)}`]);
  if (outputs?.state === "gone") rows.push(["outputs", outputs.reason ?? "gone"]);
  const leases = run.leases.map(({ leaseId, state, outcome, billId, totalMicros }) => [
    leaseId,
    outcome ?? state,
    billId ?? "-",
    totalMicros === null ? "-" : money(totalMicros, run.currency),
  ]);
  leases.push(["in all", "", "", money(run.billedMicros, run.currency)]);
  return `${facts(rows)}\n\n${table(context, ["LEASE", "STATE", "BILL", "COST"], leases)}`;
}

function oneLine(text: string): string {
  return plainText(text).replace(/\s+/g, " ").slice(0, 60);
}
