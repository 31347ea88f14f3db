import { createHash } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { ApiError } from "../../api/client/error.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { OUTBOX_CONTENT_AT } from "../../partition/outbox.ts";
import { sealFor } from "../../signature/sealed.ts";
import { type AgentContext, instantNow, type ServerLink } from "../context.ts";
import { queueReport } from "../report/store.ts";
import { EffectFailure } from "./effect-failure.ts";
import { readHead, tellRun } from "./run.ts";
import { changeLease, type LeaseRow } from "./store.ts";

const CHUNK_BYTES = 2 ** 20;
/** A server that takes nothing for this long is asked again. */
const SEND_MS_MAX = 60 * 60_000;
/** A server that answers, and fails at it each time, does not keep the partition for ever: an hour. */
const FAILURES_MAX = 240;

/**
 * Carries what a run left behind from the stopped guest to the server, encrypted to the client's
 * key, before the wipe: the wipe receipt then says what it always did. While the server is away the
 * partition waits; nobody can be granted it meanwhile.
 */
export async function collect(context: AgentContext, lease: LeaseRow): Promise<void> {
  const head = await readHead(context, lease);
  tellRun(context, lease, head, {});
  if (head.state !== "done" || head.bytes === 0) {
    const reason = head.state === "done" ? "nothing-written" : "run-not-finished";
    settle(context, lease, reason);
    return;
  }
  const folder = join(context.config.dataFolder, "outputs");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${lease.leaseId}.sealed`);
  try {
    const digest = await sealInto(context, lease, head.bytes, path);
    settle(context, lease, await send(context, lease, path, digest));
  } finally {
    await rm(path, { force: true });
  }
}

async function sealInto(
  context: AgentContext,
  { leaseId, granted }: LeaseRow,
  bytes: number,
  path: string,
): Promise<string> {
  const sealing = sealFor(granted?.outbox?.sealKey ?? "", leaseId);
  const hash = createHash("sha256");
  const file = await open(path, "w", 0o600);
  const write = async (part: Buffer) => {
    hash.update(part);
    await file.writeFile(part);
  };
  try {
    await write(sealing.head);
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, bytes - at);
      const part = await context.driver.readOutbox(leaseId, OUTBOX_CONTENT_AT + at, length);
      if (part?.length !== length) throw new Error(`the outbox of ${leaseId} ends too early`);
      await write(sealing.add(part));
    }
    await write(sealing.end());
  } finally {
    await file.close();
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Null when the server has it; else why it will not. */
async function send(
  context: AgentContext,
  { leaseId, failures }: LeaseRow,
  path: string,
  digest: string,
): Promise<string | null> {
  const file = await open(path, "r");
  try {
    const body = Readable.toWeb(file.createReadStream({ autoClose: false }));
    const request = {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body,
      duplex: "half",
      signal: AbortSignal.any([AbortSignal.timeout(SEND_MS_MAX), context.ended.signal]),
    };
    const url = `/v1/agent/leases/${leaseId}/outputs/${digest}`;
    const { client } = linkOf(context);
    await (await client.fetch(url, request as RequestInit)).arrayBuffer();
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) {
      const message = error instanceof Error ? error.message : String(error);
      throw new EffectFailure("outputs-not-sent", message, "always", { cause: error });
    }
    if (error.httpStatus >= 500 && failures < FAILURES_MAX) throw error;
    context.log.error({ leaseId, err: error }, "the server does not take a run's outputs");
    return error.code.slice(0, 64);
  } finally {
    await file.close();
  }
}

function settle(context: AgentContext, { leaseId }: LeaseRow, lost: string | null): void {
  inTransaction(context.db, () => {
    if (lost !== null) {
      const about = { leaseId, at: instantNow(context) };
      queueReport(context.db, about, { kind: "outputs-lost", reason: lost });
    }
    changeLease(context.db, leaseId, { isCollected: true, failures: 0, retryAtNs: null });
  });
}

/** Only leases have outputs, and only a host that has joined has leases. */
function linkOf({ server }: AgentContext): ServerLink {
  if (server === null) throw new Error("a host without a server has no lease with outputs");
  return server;
}
