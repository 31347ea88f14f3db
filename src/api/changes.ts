import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { listLeaseEvents } from "../lease/event-store.ts";
import { getLeaseOfParty } from "../lease/store.ts";
import { idSchema } from "../unit/schema.ts";
import { authenticate, type Caller } from "./caller.ts";
import type { ServerContext } from "./context.ts";
import { OTHER_PERMISSIONS } from "./permission.ts";

/** Proxies close what is silent for a minute. */
const KEEP_ALIVE_MS = 20_000;
const params = z.strictObject({ leaseId: idSchema("lease") });

/**
 * A lease's events as server-sent events, from the beginning or behind `Last-Event-ID`. The stream
 * ends when the lease's bill has closed, or when the server stops; a client reconnects by itself.
 */
export function registerChanges(app: FastifyInstance, context: ServerContext): void {
  const open = new Set<AbortController>();
  app.addHook("preClose", async () => {
    for (const stream of open) stream.abort();
  });
  app.get(
    "/v1/leases/:leaseId/changes",
    {
      schema: { hide: true, params },
      onRequest: async (request) => {
        const permission = OTHER_PERMISSIONS["GET /v1/leases/:leaseId/changes"];
        request.setDecorator("caller", await authenticate(context, request, permission));
      },
    },
    async (request, reply) => {
      const caller = request.getDecorator<Caller>("caller");
      const { leaseId } = params.parse(request.params);
      if (caller.kind !== "party") throw new Error("only a party comes this far");
      await getLeaseOfParty(context.db.kysely, caller.party.partyId, leaseId);
      const closed = new AbortController();
      open.add(closed);
      reply.hijack();
      reply.raw.on("close", () => closed.abort());
      reply.raw.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      const lastSeq = Number(request.headers["last-event-id"] ?? 0) || 0;
      try {
        for await (const text of eventTexts(context, leaseId, lastSeq, closed.signal)) {
          reply.raw.write(text);
        }
      } catch (error) {
        context.log.error({ err: error, leaseId }, "a stream of lease events broke");
      } finally {
        open.delete(closed);
        reply.raw.end();
      }
    },
  );
}

async function* eventTexts(
  { db, changes }: ServerContext,
  leaseId: z.infer<typeof params>["leaseId"],
  lastSeq: number,
  closed: AbortSignal,
): AsyncGenerator<string> {
  let wake: () => void = () => undefined;
  let changed = true;
  const notice = () => {
    changed = true;
    wake();
  };
  const unsubscribe = changes.subscribe(leaseId, notice);
  closed.addEventListener("abort", notice);
  try {
    let seq = lastSeq;
    while (!closed.aborted) {
      changed = false;
      for (const event of await listLeaseEvents(db.kysely, leaseId, seq)) {
        seq = event.seq;
        yield `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`;
        if (event.kind === "billed") return;
      }
      if (!changed && !closed.aborted) {
        const due = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(true), KEEP_ALIVE_MS);
          wake = () => {
            clearTimeout(timer);
            resolve(false);
          };
        });
        if (due) yield ": still here\n\n";
      }
    }
  } finally {
    unsubscribe();
  }
}
