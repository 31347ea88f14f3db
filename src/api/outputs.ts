import { type Readable, Transform } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { OUTBOX_BYTES_MAX } from "../lease/outbox.ts";
import { findOutputs, setOutputsKept } from "../lease/run-store.ts";
import { getLeaseOfParty } from "../lease/store.ts";
import { refusal } from "../refusal/refusal.ts";
import { digestText, idSchema } from "../unit/schema.ts";
import { authenticate, type Caller } from "./caller.ts";
import type { ServerContext } from "./context.ts";
import { OTHER_PERMISSIONS } from "./permission.ts";

const ofLease = z.strictObject({ leaseId: idSchema("lease") });
const ofContent = ofLease.extend({ digest: digestText });
/** What the encryption adds. */
const SEAL_BYTES = 1024;

/** What runs left behind: sent by the host of the lease, fetched by its client, seen by nobody else. */
export function registerOutputs(app: FastifyInstance, context: ServerContext): void {
  const { db, outputs, clock } = context;
  const put = "PUT /v1/agent/leases/:leaseId/outputs/:digest";
  app.put(
    "/v1/agent/leases/:leaseId/outputs/:digest",
    {
      bodyLimit: OUTBOX_BYTES_MAX + SEAL_BYTES,
      schema: { hide: true, params: ofContent },
      onRequest: async (request) => {
        const caller = await authenticate(context, request, OTHER_PERMISSIONS[put]);
        request.setDecorator("caller", caller);
      },
    },
    async (request) => {
      const caller = request.getDecorator<Caller>("caller");
      const { leaseId, digest } = ofContent.parse(request.params);
      if (caller.kind !== "agent") throw new Error("only an agent comes this far");
      const host = caller.host;
      const lease = await getLeaseOfParty(db.kysely, host.lenderPartyId, leaseId);
      const found = await findOutputs(db.kysely, leaseId);
      if (lease.hostId !== host.hostId || !found?.outboxBytes) {
        throw refusal("not-found", { what: "lease with outputs", id: leaseId });
      }
      // It came before, and the answer was lost; or nobody wants it any more.
      if (found.outputsDigest !== null || found.outputsGone !== null) return { leaseId };
      const bytesMax = Number(found.outboxBytes) + SEAL_BYTES;
      const bytes = await outputs.put(digest, bounded(request.body as Readable, bytesMax));
      await setOutputsKept(db.kysely, leaseId, { digest, bytes, now: clock.now() });
      return { leaseId };
    },
  );

  const get = "GET /v1/client/leases/:leaseId/outputs";
  app.get(
    "/v1/client/leases/:leaseId/outputs",
    {
      schema: { hide: true, params: ofLease },
      onRequest: async (request) => {
        const caller = await authenticate(context, request, OTHER_PERMISSIONS[get]);
        request.setDecorator("caller", caller);
      },
    },
    async (request, reply) => {
      const caller = request.getDecorator<Caller>("caller");
      const { leaseId } = ofLease.parse(request.params);
      if (caller.kind !== "party") throw new Error("only a party comes this far");
      const { partyId } = caller.party;
      const lease = await getLeaseOfParty(db.kysely, partyId, leaseId);
      const found = await findOutputs(db.kysely, leaseId);
      if (lease.clientPartyId !== partyId || !found) {
        throw refusal("not-found", { what: "lease with outputs", id: leaseId });
      }
      const { outputsDigest: digest, outputsGone, outputsBytes } = found;
      if (digest === null || outputsGone !== null) {
        throw refusal("outputs-gone", { leaseId, why: outputsGone ?? "not there yet" });
      }
      reply.header("content-length", Number(outputsBytes)).header("cache-control", "no-store");
      return reply.type("application/octet-stream").send(outputs.read(digest));
    },
  );
}

/** A host that sends more than its lease's room is refused before it fills the server's disk. */
function bounded(content: Readable, bytesMax: number): Readable {
  let bytes = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > bytesMax) done(refusal("too-large", { limitBytes: bytesMax }));
      else done(null, chunk);
    },
  });
  content.once("error", (error) => limit.destroy(error));
  return content.pipe(limit);
}
