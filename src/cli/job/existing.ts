import { newId } from "../../unit/id.ts";
import type { Context, Outcome } from "../context.ts";
import { connectFor } from "../naming/connect-for.ts";
import { wayWanted } from "../run-verb.ts";
import { sshArguments } from "../ssh/arguments.ts";
import { runAttached, runCaptured } from "../ssh/session.ts";
import { wayIn } from "../ssh/way-in.ts";
import { exitCodeOf, type JobInput, runAndFetch } from "./attached.ts";
import { readGets } from "./get.ts";
import { sendJob } from "./guest.ts";
import { interruptible } from "./interrupt.ts";
import { hushed } from "./progress.ts";
import { putEntries } from "./put.ts";

/** In a lease that is there already and goes on afterwards. Without files it is what ssh does. */
export async function runInLease(given: Context, lease: string, input: JobInput): Promise<Outcome> {
  const { client, id: leaseId } = await connectFor(given, "lease", lease);
  const { command, put = [], get = [], tty, identity } = input;
  if (put.length + get.length === 0) {
    const target = await wayIn(given, leaseId, identity, wayWanted(input));
    const args = sshArguments(target, command, tty ? "always" : "never");
    if (!given.json) return { json: undefined, text: "", exitCode: await runAttached("ssh", args) };
    const captured = await runCaptured("ssh", args);
    return { json: { leaseId, command, ...captured }, text: "", exitCode: captured.exitCode };
  }
  const context = hushed(given, input.quiet === true);
  const gets = readGets(get);
  const entries = await putEntries(put, process.cwd());
  const target = await wayIn(context, leaseId, identity, wayWanted(input));
  const { lease: view } = await client.call("showLease", { params: { leaseId } });
  const done = await interruptible(context, "leave", async (signal) => {
    const sent = { name: newId("run"), command, gets, entries };
    const folder = await sendJob(context, target, sent, "place", signal);
    return runAndFetch(given, context, { target, folder, lease: view, input, signal });
  });
  if (done.interrupted) return { json: { leaseId, ...done }, text: "", exitCode: done.exitCode };
  const { restored, ...result } = done.value;
  const exitCode = exitCodeOf(done.value);
  return { json: { leaseId, command, ...result, ...restored, exitCode }, text: "", exitCode };
}
