import type { FastifyInstance, FastifySchema } from "fastify";
import { authenticate, type Caller } from "./caller.ts";
import type { ServerContext } from "./context.ts";
import { contract, type OperationName } from "./contract/contract.ts";
import type { Operation } from "./contract/operation.ts";
import type { Handler } from "./handler.ts";
import { HANDLERS } from "./handlers.ts";
import { PERMISSIONS } from "./permission.ts";

/** Puts every operation of the contract behind its permission and its schemas. */
export function registerOperations(app: FastifyInstance, context: ServerContext): void {
  for (const name of Object.keys(contract) as OperationName[]) {
    const op: Operation = contract[name];
    const handler = HANDLERS[name] as Handler<OperationName>;
    const access = {
      staleTokenAccepted: name === "tellTime",
      removedAccepted: name === "tellTime" || name === "readDesired" || name === "report",
    };
    app.route({
      method: op.method,
      url: op.path,
      schema: toSchema(name, op),
      // Before validation: a stranger is told nothing about what was wrong with his request.
      onRequest: async (request) => {
        const permission = PERMISSIONS[name];
        const caller = await authenticate(context, request, permission, access);
        request.setDecorator("caller", caller);
      },
      handler: async (request) => {
        const caller = request.getDecorator<Caller>("caller");
        return handler(context, {
          caller: (caller.kind === "party"
            ? caller.party
            : caller.kind === "agent"
              ? caller.host
              : undefined) as never,
          params: request.params as never,
          query: request.query as never,
          body: request.body as never,
          address: request.ip,
        });
      },
    });
  }
}

function toSchema(name: string, op: Operation): FastifySchema & Record<string, unknown> {
  return {
    summary: op.summary,
    operationId: name,
    ...(op.params ? { params: op.params } : {}),
    ...(op.query ? { querystring: op.query } : {}),
    ...(op.body ? { body: op.body } : {}),
    response: { 200: op.response },
  };
}
