import type { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { refusal } from "../refusal/refusal.ts";
import { authenticate } from "./caller.ts";
import type { ServerContext } from "./context.ts";
import { blobParams } from "./contract/people.ts";
import { OTHER_PERMISSIONS } from "./permission.ts";

/** An image part may be a whole disk; the operator, who sends it, is trusted with the room. */
const BLOB_BYTES_MAX = 64 * 2 ** 30;

/** The OS file server: blobs by digest, read with ranges by anyone, written by the operator. */
export async function registerFiles(app: FastifyInstance, context: ServerContext): Promise<void> {
  const { blobs } = context;
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) => {
    done(null, payload);
  });

  app.put(
    "/v1/operator/blobs/:digest",
    {
      bodyLimit: BLOB_BYTES_MAX,
      schema: { hide: true, params: blobParams },
      onRequest: async (request) => {
        await authenticate(context, request, OTHER_PERMISSIONS["PUT /v1/operator/blobs/:digest"]);
      },
    },
    async (request) => {
      const { digest } = blobParams.parse(request.params);
      return { digest, sizeBytes: await blobs.put(digest, request.body as Readable) };
    },
  );

  app.get(
    "/images/:digest",
    { schema: { hide: true, params: blobParams } },
    async (request, reply) => {
      const { digest } = blobParams.parse(request.params);
      const sizeBytes = await blobs.sizeBytes(digest);
      if (sizeBytes === undefined) throw refusal("not-found", { what: "image part", id: digest });
      reply.header("accept-ranges", "bytes").header("etag", `"${digest}"`);
      reply.header("cache-control", "public, max-age=31536000, immutable");
      reply.type("application/octet-stream");
      const range = readRange(request.headers.range, sizeBytes);
      if (range === "unsatisfiable") {
        return reply.code(416).header("content-range", `bytes */${sizeBytes}`).send();
      }
      if (range) {
        reply.code(206).header("content-length", range.endByte - range.startByte + 1);
        reply.header("content-range", `bytes ${range.startByte}-${range.endByte}/${sizeBytes}`);
        return reply.send(blobs.read(digest, range));
      }
      reply.header("content-length", sizeBytes);
      return reply.send(request.method === "HEAD" ? undefined : blobs.read(digest));
    },
  );
}

type Range = { readonly startByte: number; readonly endByte: number };

/** One range of RFC 9110; what is not understood is no range, and the whole file answers it. */
export function readRange(
  header: string | undefined,
  sizeBytes: number,
): Range | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const last = sizeBytes - 1;
  if (match[1] === "") {
    const suffixBytes = Math.min(Number(match[2]), sizeBytes);
    return suffixBytes === 0
      ? "unsatisfiable"
      : { startByte: sizeBytes - suffixBytes, endByte: last };
  }
  const startByte = Number(match[1]);
  const endByte = match[2] === "" ? last : Math.min(Number(match[2]), last);
  return startByte > last || endByte < startByte ? "unsatisfiable" : { startByte, endByte };
}
