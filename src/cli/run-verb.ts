import { Option } from "commander";
import { InputError } from "../unit/quantity.ts";
import type { Context, Outcome } from "./context.ts";
import { CliError, EXIT_OURS } from "./failure.ts";
import { sshArguments, type Target } from "./ssh/arguments.ts";
import { runAttached, runCaptured } from "./ssh/session.ts";
import { wayIn } from "./ssh/way-in.ts";
import { verb } from "./verb.ts";

export function identityOption(): Option {
  return new Option(
    "--identity <file>",
    "the private key that opens the lease, when not the stored one",
  );
}

/** Of both verbs that have a command behind them. */
const OWN_UNTIL =
  "The long flags below are Sublet's wherever they stand before --; all behind -- is the command's.";

export const runVerb = verb<{ lease?: string; command: string[]; identity?: string }>({
  usage: "run <command...>",
  summary: "Run a command in a lease's partition; its output is streamed, its exit code returned.",
  examples: [
    "sublet run --lease lease_01k9… -- uname -a",
    "sublet run --lease lease_01k9… 'sort | uniq -c' < words.txt",
  ],
  more: `${OWN_UNTIL}\nSeveral arguments arrive as typed; a single one is a line for the guest's shell. With --json the\noutput is collected: {leaseId, command, exitCode, stdout, stderr}.`,
  options: [new Option("--lease <id>", "the lease to run in"), identityOption()],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, { lease, command, identity }) => {
    if (lease === undefined) {
      throw new CliError(
        "lease-needed",
        "say where to run it with --lease ID; book a lease first with `sublet lease create`",
      );
    }
    const target = await wayIn(context, lease, identity);
    return runIn(context, target, command, "never");
  },
});

interface SshInput {
  readonly lease: string;
  readonly command: string[];
  readonly tty?: true;
  readonly identity?: string;
}

export const sshVerb = verb<SshInput>({
  usage: "ssh <lease> [command...]",
  summary: "Open a shell in a lease's partition, or run a command there as ssh does.",
  examples: ["sublet ssh lease_01k9…", "sublet ssh lease_01k9… --tty -- top"],
  more: OWN_UNTIL,
  options: [new Option("--tty", "a terminal for the command, too"), identityOption()],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, { lease, command, tty, identity }) => {
    if (context.json && command.length === 0) {
      throw new InputError("--json needs a command; a shell has no one document to print");
    }
    const target = await wayIn(context, lease, identity);
    return runIn(context, target, command, tty ? "always" : "as-ssh-does");
  },
});

export async function runIn(
  context: Context,
  target: Target,
  command: string[],
  terminal: "always" | "never" | "as-ssh-does",
): Promise<Outcome> {
  const args = sshArguments(target, command, terminal);
  if (context.json) {
    const captured = await runCaptured("ssh", args);
    const json = { leaseId: target.leaseId, command, ...captured };
    return { json, text: "", exitCode: captured.exitCode };
  }
  return { json: undefined, text: "", exitCode: await runAttached("ssh", args) };
}
