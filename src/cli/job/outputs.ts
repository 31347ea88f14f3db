import { rm } from "node:fs/promises";
import type { Client } from "../../api/client/client.ts";
import type { RunView } from "../../api/contract/run.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { tellRestored } from "./attached.ts";
import { type Restored, readLog, restore } from "./get.ts";
import { fetchKept } from "./kept.ts";
import { type RunRecord, readRun, saveLog } from "./record.ts";

/**
 * Brings what a detached run left to where it was named, keeps the end of what it wrote, and lets
 * the server forget it, in this order: a crash before the last leaves it to be fetched again.
 */
export async function getOutputs(
  context: Context,
  client: Client,
  run: RunView,
): Promise<Restored> {
  const record = await readRun(context.environment.configFolder, run.runId);
  const { outputs } = run.leases[0] ?? {};
  if (outputs?.state === "awaited") {
    throw new CliError(
      "outputs-awaited",
      `${run.runId} is ${run.state}, and what it leaves is not at the server yet; \`sublet run wait ${run.runId}\` waits for it`,
      { state: run.state },
    );
  }
  const place = await fetchKept(context, client, record);
  try {
    const folder = folderOf(record);
    await saveLogs(context, record, place);
    const restored = await restore(place, folder, record.gets, record.here);
    tellRestored(context, restored);
    await client.call("dropOutputs", { params: { leaseId: record.leaseId } });
    return restored;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** The end of what it wrote, from what the server keeps; that stays there. */
export async function fetchLogs(
  context: Context,
  client: Client,
  record: RunRecord,
): Promise<void> {
  const place = await fetchKept(context, client, record);
  try {
    await saveLogs(context, record, place);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function saveLogs(context: Context, record: RunRecord, place: string): Promise<void> {
  const folder = folderOf(record);
  const [out, err] = [await readLog(place, folder, "out"), await readLog(place, folder, "err")];
  await saveLog(context.environment.configFolder, record.runId, { out, err });
}

function folderOf({ runId, folder }: RunRecord): string {
  if (folder !== null) return folder;
  throw new CliError("run-not-sent", `${runId} never began; run it again`, { runId });
}
