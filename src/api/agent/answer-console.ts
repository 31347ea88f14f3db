import { answerConsoleRequest } from "../../lease/console-store.ts";
import type { Handler } from "../handler.ts";

export const answerConsole: Handler<"answerConsole"> = async (
  context,
  { caller, params, body },
) => {
  const isAwaited = await answerConsoleRequest(context.db.kysely, {
    consoleRequestId: params.requestId,
    hostId: caller.hostId,
    content: Buffer.from(body.contentBase64, "base64"),
    now: context.clock.now(),
  });
  return { isAwaited };
};
