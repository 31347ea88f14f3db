import { join } from "node:path";
import type { SealKeys } from "../../signature/sealed.ts";
import type { LeaseId, RunId } from "../../unit/id.ts";
import { readIfThere, writePrivateFile } from "../config/private-file.ts";
import { CliError } from "../failure.ts";
import type { Get } from "./get.ts";

/** What this computer alone knows of a detached run: the server has neither its key nor its names. */
export interface RunRecord {
  readonly runId: RunId;
  readonly leaseId: LeaseId;
  readonly sealKeys: SealKeys;
  readonly gets: readonly Get[];
  /** The folder that names of `gets` here are relative to. */
  readonly here: string;
  /** Of the private key, where it is not the one of the login. */
  readonly identity: string | null;
  /** Where it is in the guest; null before it was sent. */
  readonly folder: string | null;
}

/** Before the booking is sent: a run whose outputs nobody could open must not come to be. */
export async function rememberRun(configFolder: string, record: RunRecord): Promise<void> {
  await writePrivateFile(recordPath(configFolder, record.runId), `${JSON.stringify(record)}\n`);
}

export async function readRun(configFolder: string, runId: RunId): Promise<RunRecord> {
  const text = await readIfThere(recordPath(configFolder, runId));
  if (text !== undefined) return JSON.parse(text) as RunRecord;
  throw new CliError(
    "run-elsewhere",
    `${runId} was not started detached with the settings in ${configFolder}; its output can be had only where it was started`,
    { runId },
  );
}

/** The end of what it wrote, once that was fetched. */
export async function readSavedLog(
  configFolder: string,
  runId: RunId,
): Promise<{ out: string; err: string } | null> {
  const text = await readIfThere(logPath(configFolder, runId));
  return text === undefined ? null : (JSON.parse(text) as { out: string; err: string });
}

export async function saveLog(
  configFolder: string,
  runId: RunId,
  log: { readonly out: Buffer; readonly err: Buffer },
): Promise<void> {
  const { out, err } = log;
  const text = JSON.stringify({ out: out.toString("latin1"), err: err.toString("latin1") });
  await writePrivateFile(logPath(configFolder, runId), text);
}

function recordPath(configFolder: string, runId: RunId): string {
  return join(configFolder, "runs", `${runId}.json`);
}

function logPath(configFolder: string, runId: RunId): string {
  return join(configFolder, "runs", `${runId}.log.json`);
}
