import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, LogController } from "fastify";
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from "fastify-type-provider-zod";
import { collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { toProblem } from "../refusal/problem.ts";
import { Refusal, refusal } from "../refusal/refusal.ts";
import { PRODUCT_VERSION } from "../unit/version.ts";
import { registerChanges } from "./changes.ts";
import type { ServerContext } from "./context.ts";
import { registerDeliveryMetrics } from "./delivery/settings.ts";
import { registerFiles } from "./files.ts";
import { registerOutputs } from "./outputs.ts";
import { BODY_BYTES_MAX, problemOf } from "./problem.ts";
import { registerOperations } from "./routes.ts";

/** The HTTP side of the server: operations, file server, streams, health. Not yet listening. */
export async function buildApp(context: ServerContext): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("caller", null);
  app.setErrorHandler((error, request, reply) => {
    const { problem, own } = problemOf(error, request.id);
    const isOperators = own || problem.code === "storage-full";
    if (isOperators) request.log.error({ err: error, requestId: request.id }, "a request failed");
    if (!isOperators && !(error instanceof Refusal))
      request.log.debug({ err: error }, "a bad request");
    void reply.code(problem.status).type("application/problem+json").send(problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const problem = toProblem(refusal("route-not-found", { path: request.url.slice(0, 200) }));
    void reply.code(problem.status).type("application/problem+json").send(problem);
  });
  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: "Sublet", version: PRODUCT_VERSION } },
    transform: jsonSchemaTransform,
  });
  registerHealth(app, context);
  registerOperations(app, context);
  await registerFiles(app, context);
  registerChanges(app, context);
  registerOutputs(app, context);
  app.get("/v1/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  return app;
}

function registerHealth(app: FastifyInstance, { db, delivery }: ServerContext): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerDeliveryMetrics(registry, { db, delivery });
  const seconds = new Histogram({
    name: "sublet_http_request_seconds",
    help: "How long requests took",
    labelNames: ["method", "route", "status"],
    registers: [registry],
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    const labels = { method: request.method, route, status: reply.statusCode };
    seconds.observe(labels, reply.elapsedTime / 1000);
  });
  app.get("/healthz", { schema: { hide: true } }, async () => ({ alive: true }));
  app.get("/readyz", { schema: { hide: true } }, async () => {
    try {
      await db.pool.query("select 1");
    } catch (error) {
      app.log.warn({ err: error }, "not ready: the database does not answer");
      throw refusal("not-ready", { message: "the database does not answer" });
    }
    return { ready: true };
  });
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
}
