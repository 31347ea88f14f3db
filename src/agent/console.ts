import type { DesiredState } from "../api/contract/agent.ts";
import { CONSOLE_BYTES_MAX } from "../api/contract/agent.ts";
import type { JoinedContext } from "./context.ts";
import { readLease } from "./lease/store.ts";

/** Answers who asked for a guest's console. What cannot be answered now is asked again, or given up. */
export async function answerConsoles(
  context: JoinedContext,
  requests: DesiredState["consoleRequests"],
): Promise<void> {
  for (const { requestId, leaseId } of requests) {
    if (readLease(context.db, leaseId) === null) continue;
    try {
      const text = await context.driver.console(leaseId);
      const contentBase64 = Buffer.from(text).subarray(-CONSOLE_BYTES_MAX).toString("base64");
      await context.server.client.call("answerConsole", {
        params: { requestId },
        body: { contentBase64 },
      });
    } catch (error) {
      context.log.warn({ leaseId, err: error }, "a console could not be shown");
    }
  }
}
