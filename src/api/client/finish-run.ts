import { getRun, setRunFinished } from "../../lease/run-store.ts";
import type { Handler } from "../handler.ts";
import { viewRun } from "./list-runs.ts";

export const finishRun: Handler<"finishRun"> = async (context, { caller, params, body }) => {
  const { db, clock } = context;
  const { runId } = await getRun(db.kysely, caller.partyId, params.runId);
  await setRunFinished(db.kysely, runId, body.exitCode, clock.now());
  return viewRun(context, await getRun(db.kysely, caller.partyId, runId));
};
